import {
  ActivityCancellationType,
  proxyActivities,
  workflowInfo,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { queuesBeside, type TaskQueues } from '../model/run.ts';
import { DEFAULT_HEARTBEAT_TIMEOUT_MS } from './policies.ts';

/** Static summaries are cut by the server at 200 bytes. */
const MAX_SUMMARY_LENGTH = 150;

export interface Call {
  /** For the Web UI. */
  summary: string;
  /** Default: control, the workflow's own. */
  queue?: keyof TaskQueues;
  heartbeatTimeoutMs?: number;
  activityId?: string;
}

/** The activities, called by one policy. A cancelled attempt has stopped before the workflow goes on, where the policy waits for it. */
export function activities(policy: ActivityOptions, call: Call) {
  const { summary, queue = 'control', heartbeatTimeoutMs, activityId } = call;
  return proxyActivities<Activities>({
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    ...policy,
    taskQueue: queuesBeside(workflowInfo().taskQueue)[queue],
    heartbeatTimeout: heartbeatTimeoutMs ?? DEFAULT_HEARTBEAT_TIMEOUT_MS,
    activityId,
    summary: summary.slice(0, MAX_SUMMARY_LENGTH),
  });
}
