import {
  ActivityCancellationType,
  isCancellation,
  log,
  proxyActivities,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { SweepInput, SweepResult } from '../model/sweep.ts';
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
  const { target, heartbeatTimeoutMs: heartbeatTimeout } = input;
  const { locateLake } = proxyActivities<Activities>({
    ...policies.SHORT_CALL,
    heartbeatTimeout,
    summary: `Which workers reach the lake: ${target}`,
  });
  for (;;) {
    const { queue } = await locateLake({ target });
    const { sweepLeftovers } = proxyActivities<Activities>({
      ...policies.SWEEP,
      heartbeatTimeout,
      taskQueue: queue,
      // A result that is there says what is gone.
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
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
