import {
  ActivityCancellationType,
  proxyActivities,
  workflowInfo,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { NON_RETRYABLE_CODES } from '../model/errors.ts';
import { queuesBeside, type TaskQueues } from '../model/run.ts';

/** The Temporal server cuts static summaries at 200 bytes; a character may take more than one. */
const MAX_SUMMARY_LENGTH = 150;
/** Temporal notices a dead worker this long after its last heartbeat. */
const DEFAULT_HEARTBEAT_TIMEOUT_MS = 60_000;
/** Backfilled days wait for each other: on workers for one slot, on EMR Serverless for the application's capacity. */
const BACKFILL_TIMEOUT = '60d';

export interface Call {
  /** Text for the Web UI. */
  summary: string;
  /** Default: `control`, the workflow's own queue. */
  queue?: keyof TaskQueues | undefined;
  heartbeatTimeoutMs?: number | undefined;
  activityId?: string;
  /** True for the long steps of a backfilled day. */
  backfill?: boolean | undefined;
}

/** The activities with one policy. By default a cancelled attempt has stopped before the workflow goes on. */
export function activities(policy: Policy, call: Call) {
  const { summary, queue = 'control', heartbeatTimeoutMs, activityId, backfill } = call;
  return proxyActivities<Activities>({
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: RETRY,
    ...POLICIES[policy],
    ...(backfill ? { scheduleToCloseTimeout: BACKFILL_TIMEOUT } : {}),
    taskQueue: queuesBeside(workflowInfo().taskQueue)[queue],
    heartbeatTimeout: heartbeatTimeoutMs ?? DEFAULT_HEARTBEAT_TIMEOUT_MS,
    activityId,
    summary: summary.slice(0, MAX_SUMMARY_LENGTH),
  });
}

/**
 * Activities are retried without limit within their time, unless the error's class forbids it. SOURCE_RETRY_MINUTES of
 * the worker limits how long a source is tried without progress.
 */
const RETRY = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  // A failure itself says when to try again (see the activities' failure.ts). This limit is for attempts whose worker
  // died: the next worker should start at once, however many have died.
  maximumInterval: '2s',
  nonRetryableErrorTypes: [...NON_RETRYABLE_CODES],
} satisfies ActivityOptions['retry'];

/** Every timeout of the workflows, by the kind of work. */
const POLICIES = {
  /** A listing and a few small files: if it takes longer, the worker is gone. A cancelled run does not wait for it. */
  SHORT_CALL: {
    cancellationType: 'TRY_CANCEL',
    startToCloseTimeout: '2m',
    scheduleToCloseTimeout: '1h',
  },
  /** One request and at most a MiB. The longer limit includes the wait for a slot behind downloads. */
  PROBE: { startToCloseTimeout: '10m', scheduleToCloseTimeout: '7d' },
  /** 100 GB at 1 MB/s take 28 hours. The transfer itself notices a stall; the heartbeat shows a dead worker. */
  TRANSFER: { startToCloseTimeout: '3d', scheduleToCloseTimeout: '7d' },
  /** The engine reads the whole file once or twice from disk. The reference engine reads about 1 MB/s. */
  CONVERSION: { startToCloseTimeout: '1d', scheduleToCloseTimeout: '7d' },
  /** One Spark job for many sources. If it dies, or its credentials expire, another follows. */
  BATCH: { startToCloseTimeout: '3d', scheduleToCloseTimeout: '7d' },
  /** Cleaning up is best effort: the sweep removes what is left. */
  CLEAN_UP: {
    scheduleToStartTimeout: '1m',
    startToCloseTimeout: '2m',
    scheduleToCloseTimeout: '5m',
  },
  /** A few small files. It takes hours if a column widens: large files are then written again in the new type. */
  TABLE: { startToCloseTimeout: '1d', scheduleToCloseTimeout: '2d' },
  /**
   * The activity waits until a run ends, so it may take as long as the longest run. If a worker dies, another follows,
   * however often. The run's own failure is not retryable.
   */
  JOIN: { startToCloseTimeout: '30d' },
  /** A listing of the whole lake and a request for each leftover. An old lake takes hours; no run waits for it. */
  SWEEP: { startToCloseTimeout: '6h', scheduleToCloseTimeout: '12h' },
  /**
   * A few requests to EMR. If workers are away for hours, the cluster goes on, and the next worker finds it. A cluster
   * that no run watches ends by its idle timeout.
   */
  EMR_CALL: { startToCloseTimeout: '5m', scheduleToCloseTimeout: '2d' },
  /** The activity may take as long as a step, with all its waits. Heartbeats show that the worker lives. */
  EMR_WATCH: { startToCloseTimeout: '7d', scheduleToCloseTimeout: '14d' },
  /** Small requests to S3, a few for each of many sources. */
  EMR_WORK: { startToCloseTimeout: '1h', scheduleToCloseTimeout: '2d' },
  /** EMR writes a log within five minutes. */
  EMR_LAST_LOG: { startToCloseTimeout: '15m', scheduleToCloseTimeout: '1h' },
  /** If a step on another owner's cluster cannot be cancelled, the run ends all the same: the owner can cancel it. */
  EMR_LEAVE: { startToCloseTimeout: '5m', scheduleToCloseTimeout: '15m' },
  /**
   * A cluster costs money until it is ended, so the worker tries for longer than any fault of AWS lasts. The activity
   * itself decides which errors are final.
   */
  EMR_CLOSE: {
    startToCloseTimeout: '5m',
    scheduleToCloseTimeout: '2d',
    retry: { ...RETRY, nonRetryableErrorTypes: [] },
  },
} satisfies Record<string, ActivityOptions>;

export type Policy = keyof typeof POLICIES;
