import { setTimeout as sleep } from 'node:timers/promises';
import { TASK_QUEUE } from '../model/run.ts';
import type { TemporalLink } from './temporal-link.ts';

const LOOK_INTERVAL_MS = 1000;
/** A poll lasts a minute at most; Temporal remembers a worker that was killed for some minutes more. */
const SILENT_MS = 75_000;
/** `temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW` */
const WORKFLOW_TASKS = 1;

/** Resolves as soon as no worker has asked for workflow tasks for longer than a poll lasts, or with the signal. */
export async function noWorkerPolls(link: TemporalLink, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // A server that is away for a moment says nothing of its workers.
    if ((await lastPollAt(link).catch(() => Date.now())) < Date.now() - SILENT_MS) return;
    await sleep(LOOK_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Milliseconds since 1970; 0 where there was none. */
async function lastPollAt({ client, namespace }: TemporalLink): Promise<number> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: TASK_QUEUE },
    taskQueueType: WORKFLOW_TASKS,
  });
  const seconds = (pollers ?? []).map(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0));
  return Math.max(0, ...seconds) * 1000;
}
