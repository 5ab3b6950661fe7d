import {
  ActivityCancellationType,
  proxyActivities,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { DEFAULT_HEARTBEAT_TIMEOUT_MS } from './policies.ts';

/** Static summaries are cut by the server at 200 bytes. */
const MAX_SUMMARY_LENGTH = 150;

export interface Call {
  /** For the Web UI. */
  summary: string;
  /** The workflow's own where it is left out. */
  queue?: string;
  heartbeatTimeoutMs?: number;
  /** How long a worker of that queue is waited for, instead of what the policy says. */
  hostWaitMs?: number;
  activityId?: string;
}

/** The activities, called by one policy. A cancelled attempt has stopped before the workflow goes on, where the policy waits for it. */
export function activities(policy: ActivityOptions, call: Call) {
  const { summary, queue, heartbeatTimeoutMs, hostWaitMs, activityId } = call;
  return proxyActivities<Activities>({
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    ...policy,
    taskQueue: queue,
    heartbeatTimeout: heartbeatTimeoutMs ?? DEFAULT_HEARTBEAT_TIMEOUT_MS,
    ...(hostWaitMs !== undefined && { scheduleToStartTimeout: hostWaitMs }),
    activityId,
    summary: summary.slice(0, MAX_SUMMARY_LENGTH),
  });
}
