import { isCancellation } from '@temporalio/workflow';
import type { SweepInput, SweepResult } from '../model/sweep.ts';
import { activities } from './activities.ts';
import { failRun, toRunError } from './failures.ts';
import * as policies from './policies.ts';

/** Removes what dead runs left of the lake. */
export async function sweepLake(input: SweepInput): Promise<SweepResult> {
  const { sweepLeftovers } = activities(policies.SWEEP, {
    heartbeatTimeoutMs: input.heartbeatTimeoutMs,
    summary: `${input.dryRun ? 'Look for' : 'Remove'} leftovers`,
  });
  try {
    return await sweepLeftovers(input);
  } catch (error) {
    if (isCancellation(error)) throw error;
    return failRun(toRunError(error));
  }
}
