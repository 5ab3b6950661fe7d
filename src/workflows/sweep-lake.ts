import { isCancellation, log } from '@temporalio/workflow';
import type { SweepInput, SweepResult } from '../model/sweep.ts';
import { activities } from './activities.ts';
import { failRun, isHostGone, toRunError } from './failures.ts';
import * as policies from './policies.ts';

/** Removes what dead runs left of a lake; on a disk, of the host whose worker says that it has one. */
export async function sweepLake(input: SweepInput): Promise<SweepResult> {
  try {
    return await sweep(input);
  } catch (error) {
    if (isCancellation(error)) throw error;
    return failRun(toRunError(error));
  }
}

async function sweep(input: SweepInput): Promise<SweepResult> {
  const { target, heartbeatTimeoutMs } = input;
  const { locateLake } = activities(policies.SHORT_CALL, {
    heartbeatTimeoutMs,
    summary: `Which workers reach the lake: ${target}`,
  });
  for (;;) {
    const { queue } = await locateLake({ target });
    const { sweepLeftovers } = activities(policies.SWEEP, {
      heartbeatTimeoutMs,
      queue,
      summary: `${input.dryRun ? 'Look for' : 'Remove'} leftovers, ${target}`,
    });
    try {
      return await sweepLeftovers({ ...input, target });
    } catch (failure) {
      if (!isHostGone(failure)) throw failure;
      log.warn('The host of this disk is gone; asking another', { queue });
    }
  }
}
