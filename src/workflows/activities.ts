import {
  ActivityCancellationType,
  proxyActivities,
  workflowInfo,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { NON_RETRYABLE_CODES } from '../model/errors.ts';
import { queuesBeside, type TaskQueues } from '../model/run.ts';

/** Static summaries are cut by the server at 200 bytes. */
const MAX_SUMMARY_LENGTH = 150;
/** A worker that dies is noticed this long after its last heartbeat. */
const DEFAULT_HEARTBEAT_TIMEOUT_MS = 60_000;
/** Backfilled days wait for each other at their one slot. */
const BACKFILL_TIMEOUT = '60d';

export interface Call {
  /** For the Web UI. */
  summary: string;
  /** Default: control, the workflow's own. */
  queue?: keyof TaskQueues | undefined;
  heartbeatTimeoutMs?: number | undefined;
  activityId?: string;
}

/** The activities, called by one policy. A cancelled attempt has stopped before the workflow goes on, where the policy waits for it. */
export function activities(policy: Policy, call: Call) {
  const { summary, queue = 'control', heartbeatTimeoutMs, activityId } = call;
  return proxyActivities<Activities>({
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: RETRY,
    ...POLICIES[policy],
    ...(queue === 'backfill' ? { scheduleToCloseTimeout: BACKFILL_TIMEOUT } : {}),
    taskQueue: queuesBeside(workflowInfo().taskQueue)[queue],
    heartbeatTimeout: heartbeatTimeoutMs ?? DEFAULT_HEARTBEAT_TIMEOUT_MS,
    activityId,
    summary: summary.slice(0, MAX_SUMMARY_LENGTH),
  });
}

/**
 * Retry without limit inside the time that an activity has; the error's own class says what is never retried.
 * How long a source without any progress is tried is the worker's setting (SOURCE_RETRY_MINUTES).
 */
const RETRY = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  // A failure says itself when to try again (see the activities' failure.ts). This is for attempts that did not say it,
  // because their worker died: the next worker should start at once, however many have died.
  maximumInterval: '2s',
  nonRetryableErrorTypes: [...NON_RETRYABLE_CODES],
} satisfies ActivityOptions['retry'];

/** Every timeout of the workflows, by the nature of the work. */
const POLICIES = {
  /** A listing and a few small files; longer means that the worker is gone. A run that is cancelled waits for none. */
  SHORT_CALL: {
    cancellationType: 'TRY_CANCEL',
    startToCloseTimeout: '2m',
    scheduleToCloseTimeout: '1h',
  },
  /** One request and at most a MiB; the time from its schedule on counts the downloads that it waits for a slot behind. */
  PROBE: { startToCloseTimeout: '10m', scheduleToCloseTimeout: '7d' },
  /** 100 GB at 1 MB/s is 28 hours; a stall is noticed by the transfer itself, a dead worker by its heartbeat. */
  TRANSFER: { startToCloseTimeout: '3d', scheduleToCloseTimeout: '7d' },
  /** The whole file is read once or twice from disk; the reference engine does about 1 MB/s. */
  CONVERSION: { startToCloseTimeout: '1d', scheduleToCloseTimeout: '7d' },
  /** Many sources in one job of Spark; one that dies, or has used up its credentials, is followed by another. */
  BATCH: { startToCloseTimeout: '3d', scheduleToCloseTimeout: '7d' },
  /** Cleaning up is a kindness: if the host is gone, so is what there was to clean. */
  CLEAN_UP: {
    scheduleToStartTimeout: '1m',
    startToCloseTimeout: '2m',
    scheduleToCloseTimeout: '5m',
  },
  /** A few small files; hours where a column widens, and large files are written once more in its new type. */
  TABLE: { startToCloseTimeout: '1d', scheduleToCloseTimeout: '2d' },
  /**
   * Waiting for a run's end: as long as the longest run takes. A worker that dies is followed by another, however
   * often; the run's own failure is not retryable.
   */
  JOIN: { startToCloseTimeout: '30d' },
  /** A listing of a whole lake, and a request for each leftover: hours for a very old one, and no run waits for it. */
  SWEEP: { startToCloseTimeout: '6h', scheduleToCloseTimeout: '12h' },
  /**
   * A few requests to EMR. Workers may be away for hours: the cluster goes on meanwhile, and the next one finds it. A
   * cluster that no run watches ends by its idle timeout.
   */
  EMR_CALL: { startToCloseTimeout: '5m', scheduleToCloseTimeout: '2d' },
  /** As long as a step takes, with all its waiting; its worker says that it lives. */
  EMR_WATCH: { startToCloseTimeout: '7d', scheduleToCloseTimeout: '14d' },
  /** Small requests to S3, a few for each of many sources. */
  EMR_WORK: { startToCloseTimeout: '1h', scheduleToCloseTimeout: '2d' },
  /** EMR brings a log within five minutes. */
  EMR_LAST_LOG: { startToCloseTimeout: '15m', scheduleToCloseTimeout: '1h' },
  /** A step that cannot be cancelled on a cluster of another owner: the owner can, and the run's outcome does not wait longer. */
  EMR_LEAVE: { startToCloseTimeout: '5m', scheduleToCloseTimeout: '15m' },
  /**
   * A cluster that is not ended costs until it is: tried for longer than any fault of AWS lasts. The activity says itself
   * which errors are final.
   */
  EMR_CLOSE: {
    startToCloseTimeout: '5m',
    scheduleToCloseTimeout: '2d',
    retry: { ...RETRY, nonRetryableErrorTypes: [] },
  },
} satisfies Record<string, ActivityOptions>;

export type Policy = keyof typeof POLICIES;
