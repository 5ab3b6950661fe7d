import type { Client, WorkflowHandle } from '@temporalio/client';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { ingestWorkflowId } from '../model/run.ts';
import { fromTemporal } from './failures.ts';

export interface RunRef {
  workflowId: string;
  runId: string;
}

export interface RunSummary extends RunRef {
  /** Temporal's: RUNNING, COMPLETED, FAILED, CANCELLED, TERMINATED, TIMED_OUT. */
  status: string;
  /** ISO 8601, UTC. */
  startedAt: string;
  durationMs?: number;
}

const ALL_RUNS = "WorkflowType = 'ingestDataset'";

/** The newest runs first. */
export async function listRuns(client: Client, limit: number): Promise<RunSummary[]> {
  const runs: RunSummary[] = [];
  try {
    for await (const run of client.workflow.list({ query: ALL_RUNS, pageSize: limit })) {
      runs.push({
        workflowId: run.workflowId,
        runId: run.runId,
        status: run.status.name,
        startedAt: run.startTime.toISOString(),
        ...(run.closeTime && { durationMs: run.closeTime.getTime() - run.startTime.getTime() }),
      });
      if (runs.length >= limit) break;
    }
  } catch (error) {
    throw fromTemporal(error);
  }
  return runs;
}

/**
 * The run that a person means: a run id, a workflow id, or `<dataset>/<date>`.
 * @throws LonghaulError RUN_UNKNOWN.
 */
export async function findRun(client: Client, text: string): Promise<WorkflowHandle & RunRef> {
  const ref = await refOf(client, text);
  const handle = client.workflow.getHandle(ref.workflowId, ref.runId);
  try {
    const { runId } = await handle.describe();
    return Object.assign(handle, { workflowId: ref.workflowId, runId });
  } catch (error) {
    const known = fromTemporal(error);
    throw known instanceof LonghaulError && known.code === 'RUN_UNKNOWN' ? unknown(text) : known;
  }
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function refOf(
  client: Client,
  text: string,
): Promise<{ workflowId: string; runId: string | undefined }> {
  if (UUID.test(text)) {
    const query = `RunId = '${text}'`;
    try {
      for await (const { workflowId } of client.workflow.list({ query })) {
        return { workflowId, runId: text };
      }
    } catch (error) {
      throw fromTemporal(error);
    }
    throw unknown(text);
  }
  const [, dataset, date] = /^([a-z0-9-]+)\/(\d{4}-\d{2}-\d{2})$/.exec(text) ?? [];
  const workflowId = dataset && date ? ingestWorkflowId(dataset, date) : text;
  return { workflowId, runId: undefined };
}

function unknown(text: string): LonghaulError {
  return new LonghaulError(
    'RUN_UNKNOWN',
    `Temporal knows no run ${JSON.stringify(printable(text))}.`,
  );
}
