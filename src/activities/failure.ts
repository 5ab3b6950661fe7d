import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { hintOf, isRetryable, LonghaulError, type ErrorCode } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { RunError } from '../model/run.ts';
import { storageError } from '../storage/disk-errors.ts';

/** An error that the program does not foresee is more likely a fault of ours than a passing one: few tries. */
const MAX_UNFORESEEN_ATTEMPTS = 3;
/** The longer nothing gets further, the longer the waits: this share of that time, */
const WAIT_SHARE = 1 / 2;
/** … at least so long, which is all that a transfer waits that broke off in mid-progress, */
const MIN_WAIT_MS = 1000;
/** … and at most so long: who is back should not wait for us, and one request a minute is no load. */
const MAX_WAIT_MS = 60_000;

export interface Watch {
  /** How long a retryable error is tried again without any progress. */
  retryForMs: number;
  progressedAtMs?: number | undefined;
  source?: string | undefined;
  /** A person waits for the run at a terminal. */
  followed?: boolean | undefined;
  /** What it does must be done: all errors but these are tried again, until the time is up. */
  onlyFinal?: readonly ErrorCode[] | undefined;
}

/** A portal makes a big export in minutes; that is no fault of its, so SOURCE_RETRY_MINUTES does not shorten it. */
const MIN_READY_WAIT_MS = 15 * 60_000;
/** A slip in a host name should not keep a person waiting; a DNS server that restarts is back by then. */
const FOLLOWED_NAME_WAIT_MS = 30_000;

/**
 * The one place where errors become Temporal's failures: the code is the failure's type, the class of the code
 * decides retryability, and what the user sees travels as the first detail.
 */
export function toFailure(error: unknown, watch: Watch): Error {
  if (error instanceof ApplicationFailure) return error;
  const context = Context.current();
  if (context.cancellationSignal.aborted) {
    return context.cancellationSignal.reason instanceof CancelledFailure
      ? context.cancellationSignal.reason
      : new CancelledFailure('The activity was cancelled.');
  }
  const known = asLonghaulError(error);
  const { scheduledTimestampMs, attempt } = context.info;
  const unforeseen = known.code === 'INTERNAL' && attempt >= MAX_UNFORESEEN_ATTEMPTS;
  const quietMs = Date.now() - (watch.progressedAtMs ?? scheduledTimestampMs);
  const limitMs = retryForMs(known, watch);
  const late = quietMs >= limitMs;
  const { onlyFinal } = watch;
  const mayRetry = onlyFinal
    ? !onlyFinal.includes(known.code)
    : isRetryable(known.code) && !unforeseen;
  const retryable = mayRetry && !late;
  const hint = hintOf(known.code, known.details);
  return ApplicationFailure.create({
    // What the Web UI shows of a failed attempt; the command line has the details.
    message: hint === '' ? known.message : `${known.message} → ${hint}`,
    type: known.code,
    nonRetryable: !retryable,
    details: [toRunError(known, watch.source)],
    ...(error instanceof Error && known.code === 'INTERNAL' ? { cause: error } : {}),
    ...(retryable ? { nextRetryDelay: waitMs(known, quietMs, limitMs) } : {}),
  });
}

function retryForMs({ code }: LonghaulError, watch: Watch): number {
  if (code === 'SOURCE_NOT_READY') return Math.max(watch.retryForMs, MIN_READY_WAIT_MS);
  const isSlip = code === 'SOURCE_NO_SUCH_HOST' && watch.followed;
  return isSlip ? Math.min(watch.retryForMs, FOLLOWED_NAME_WAIT_MS) : watch.retryForMs;
}

/** What the publisher asked for, else the longer the longer nothing gets further; the last try is when time is up. */
function waitMs({ details }: LonghaulError, quietMs: number, limitMs: number): number {
  const { retryAfterSeconds } = details;
  const wanted =
    retryAfterSeconds === undefined
      ? Math.min(MAX_WAIT_MS, quietMs * WAIT_SHARE)
      : retryAfterSeconds * 1000;
  return Math.round(Math.max(MIN_WAIT_MS, Math.min(wanted, limitMs - quietMs)));
}

export function toRunError(error: LonghaulError, source: string | undefined): RunError {
  const blamed = error.details.source ?? source;
  return {
    code: error.code,
    message: error.message,
    hint: hintOf(error.code, error.details),
    retryable: isRetryable(error.code),
    source: blamed,
    log: error.details.log,
  };
}

function asLonghaulError(error: unknown): LonghaulError {
  const mapped = storageError(
    error,
    (error as NodeJS.ErrnoException | undefined)?.path ?? 'the lake',
  );
  if (mapped instanceof LonghaulError) return mapped;
  const message = mapped instanceof Error ? mapped.message : String(mapped);
  return new LonghaulError('INTERNAL', printable(message), {}, { cause: error });
}
