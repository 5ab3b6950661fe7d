import type { Client } from '@temporalio/client';
import type { IngestInput } from '../model/run.ts';
import * as runs from '../runs/start-run.ts';
import { fromTemporal } from './failures.ts';

/** Starts the run of a dataset and day, or attaches to the one under way. @throws LonghaulError. */
export async function startRun(client: Client, input: IngestInput): Promise<runs.StartedRun> {
  try {
    return await runs.startRun(client, input);
  } catch (error) {
    throw fromTemporal(error);
  }
}
