import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { hintOf, isRetryable, LonghaulError } from '../model/errors.ts';
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
  source?: string;
}

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
  const late = quietMs >= watch.retryForMs;
  const retryable = isRetryable(known.code) && !unforeseen && !late;
  const hint = hintOf(known.code, known.details);
  return ApplicationFailure.create({
    // What the Web UI shows of a failed attempt; the command line has the details.
    message: hint === '' ? known.message : `${known.message} → ${hint}`,
    type: known.code,
    nonRetryable: !retryable,
    details: [toRunError(known, watch.source)],
    ...(error instanceof Error && known.code === 'INTERNAL' ? { cause: error } : {}),
    ...(retryable ? { nextRetryDelay: waitMs(known, quietMs, watch.retryForMs) } : {}),
  });
}

function waitMs({ details }: LonghaulError, quietMs: number, retryForMs: number): number {
  const { retryAfterSeconds } = details;
  if (retryAfterSeconds !== undefined) return Math.min(retryAfterSeconds * 1000, retryForMs);
  return Math.round(Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, quietMs * WAIT_SHARE)));
}

function toRunError(error: LonghaulError, source: string | undefined): RunError {
  const blamed = error.details.source ?? source;
  return {
    code: error.code,
    message: error.message,
    hint: hintOf(error.code, error.details),
    retryable: isRetryable(error.code),
    ...(blamed === undefined ? {} : { source: blamed }),
    ...(error.details.log === undefined ? {} : { log: error.details.log }),
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
