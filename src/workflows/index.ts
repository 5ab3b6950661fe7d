import { condition, isCancellation } from '@temporalio/workflow';
import type { SweepInput, SweepResult } from '../model/sweep.ts';
import { activities } from './activities.ts';
import { failRun, toRunError } from './failures.ts';

/** Only workflows are exported: Temporal lets clients start every exported function by its name. */
export { convertOnEmr } from './convert-on-emr.ts';
export { ingestDataset } from './ingest-dataset.ts';
export { ingestOnSchedule } from './ingest-on-schedule.ts';

/** Removes what dead runs left in the lake. */
export async function sweepLake(input: SweepInput): Promise<SweepResult> {
  const { sweepLeftovers } = activities('SWEEP', {
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

/** Claims the namespace for one lake: its memo names the lake. It runs until an operator ends it. */
export async function holdNamespace(): Promise<void> {
  await condition(() => false);
}
