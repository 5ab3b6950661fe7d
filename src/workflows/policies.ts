import type { ActivityOptions } from '@temporalio/workflow';
import { NON_RETRYABLE_CODES } from '../model/errors.ts';

/** Every timeout and retry of the workflows, by the nature of the work. */

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

/** A worker that dies is noticed this long after its last heartbeat. */
export const DEFAULT_HEARTBEAT_TIMEOUT_MS = 60_000;

/** A listing and a few small files; longer means that the worker is gone. A run that is cancelled waits for none. */
export const SHORT_CALL = {
  cancellationType: 'TRY_CANCEL',
  startToCloseTimeout: '2m',
  scheduleToCloseTimeout: '1h',
  retry: RETRY,
} satisfies ActivityOptions;

/** One request and at most a MiB; the time from its schedule on counts the downloads that it waits for a slot behind. */
export const PROBE = {
  startToCloseTimeout: '10m',
  scheduleToCloseTimeout: '7d',
  retry: RETRY,
} satisfies ActivityOptions;

/** 100 GB at 1 MB/s is 28 hours; a stall is noticed by the transfer itself, a dead worker by its heartbeat. */
export const TRANSFER = {
  startToCloseTimeout: '3d',
  scheduleToCloseTimeout: '7d',
  retry: RETRY,
} satisfies ActivityOptions;

/** The whole file is read once or twice from disk; the reference engine does about 1 MB/s. */
export const CONVERSION = {
  startToCloseTimeout: '1d',
  scheduleToCloseTimeout: '7d',
  retry: RETRY,
} satisfies ActivityOptions;

/** Many sources in one job of Spark; one that dies, or has used up its credentials, is followed by another. */
export const BATCH = {
  startToCloseTimeout: '3d',
  scheduleToCloseTimeout: '7d',
  retry: RETRY,
} satisfies ActivityOptions;

/** Backfilled days wait for each other at their one slot. */
export const BACKFILL = { scheduleToCloseTimeout: '60d' } satisfies ActivityOptions;

/** Cleaning up is a kindness: if the host is gone, so is what there was to clean. */
export const CLEAN_UP = {
  scheduleToStartTimeout: '1m',
  startToCloseTimeout: '2m',
  scheduleToCloseTimeout: '5m',
  retry: RETRY,
} satisfies ActivityOptions;

/** A few small files; hours where a column widens, and large files are written once more in its new type. */
export const TABLE = {
  startToCloseTimeout: '1d',
  scheduleToCloseTimeout: '2d',
  retry: RETRY,
} satisfies ActivityOptions;

/**
 * Waiting for a run's end: as long as the longest run takes. A worker that dies is followed by another, however
 * often; the run's own failure is not retryable.
 */
export const JOIN = {
  startToCloseTimeout: '30d',
  retry: RETRY,
} satisfies ActivityOptions;

/** A listing of a whole lake, and a request for each leftover: hours for a very old one, and no run waits for it. */
export const SWEEP = {
  startToCloseTimeout: '6h',
  scheduleToCloseTimeout: '12h',
  retry: RETRY,
} satisfies ActivityOptions;

/**
 * A few requests to EMR. Workers may be away for hours: the cluster goes on meanwhile, and the next one finds it. A
 * cluster that no run watches ends by its idle timeout.
 */
export const EMR_CALL = {
  startToCloseTimeout: '5m',
  scheduleToCloseTimeout: '2d',
  retry: RETRY,
} satisfies ActivityOptions;

/** As long as a step takes, with all its waiting; its worker says that it lives. */
export const EMR_WATCH = {
  startToCloseTimeout: '7d',
  scheduleToCloseTimeout: '14d',
  retry: RETRY,
} satisfies ActivityOptions;

/** Small requests to S3, a few for each of many sources. */
export const EMR_WORK = {
  startToCloseTimeout: '1h',
  scheduleToCloseTimeout: '2d',
  retry: RETRY,
} satisfies ActivityOptions;

/** EMR brings a log within five minutes. */
export const EMR_LAST_LOG = {
  startToCloseTimeout: '15m',
  scheduleToCloseTimeout: '1h',
  retry: RETRY,
} satisfies ActivityOptions;

/** A step that cannot be cancelled on a cluster of another owner: the owner can, and the run's outcome does not wait longer. */
export const EMR_LEAVE = {
  startToCloseTimeout: '5m',
  scheduleToCloseTimeout: '15m',
  retry: RETRY,
} satisfies ActivityOptions;

/**
 * A cluster that is not ended costs until it is: tried for longer than any fault of AWS lasts. The activity says itself
 * which errors are final.
 */
export const EMR_CLOSE = {
  startToCloseTimeout: '5m',
  scheduleToCloseTimeout: '2d',
  retry: { ...RETRY, nonRetryableErrorTypes: [] },
} satisfies ActivityOptions;
