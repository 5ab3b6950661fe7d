import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { hintOf, isRetryable, LonghaulError, type ErrorCode } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { RunError } from '../model/run.ts';
import { storageError } from '../storage/disk-errors.ts';

/** An unforeseen error is more likely Longhaul's fault than a passing one, so it gets few tries. */
const MAX_UNFORESEEN_ATTEMPTS = 3;
/** The wait is this share of the time without progress. */
const WAIT_SHARE = 1 / 2;
/** Shortest wait. A transfer that broke off in mid-progress waits only this long. */
const MIN_WAIT_MS = 1000;
/** Longest wait. A publisher that is back should be noticed soon, and one request a minute is no load. */
const MAX_WAIT_MS = 60_000;

export interface Watch {
  /** How long a retryable error is tried again without any progress. */
  retryForMs: number;
  progressedAtMs?: number | undefined;
  source?: string | undefined;
  /** True if a user waits for the run at a terminal. */
  followed?: boolean | undefined;
  /** Set if the work must be done: every error except these is tried again until the time is up. */
  onlyFinal?: readonly ErrorCode[] | undefined;
}

/** A portal takes minutes for a big export. That is no fault, so SOURCE_RETRY_MINUTES does not shorten this. */
const MIN_READY_WAIT_MS = 15 * 60_000;
/** A user should soon see a mistyped host name. A DNS server that restarts is back by then. */
const FOLLOWED_NAME_WAIT_MS = 30_000;

/**
 * The one place where errors become Temporal's failures. The code is the failure's type. The code's class decides
 * whether Temporal retries. The first detail holds what the user sees.
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
    // The Web UI shows this message of a failed attempt. The command line has the details.
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

/** The wait that the publisher asked for, or a share of the time without progress. The last try is when time is up. */
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
