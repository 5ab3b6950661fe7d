import type { Client } from '@temporalio/client';
import { TASK_QUEUE } from '../model/run.ts';

/** A poll lasts a minute at most; Temporal remembers a worker that was killed for some minutes more. */
const SILENT_MS = 75_000;
/** `temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW` */
const WORKFLOW_TASKS = 1;

/** Whether a worker has asked for workflow tasks within the time that a poll lasts. */
export async function workerPolls(client: Client, namespace: string): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: TASK_QUEUE },
    taskQueueType: WORKFLOW_TASKS,
  });
  const seconds = (pollers ?? []).map(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0));
  return Math.max(0, ...seconds) * 1000 > Date.now() - SILENT_MS;
}
