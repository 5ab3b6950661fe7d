import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { hintOf, isRetryable, LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { RunError } from '../model/run.ts';
import { storageError } from '../storage/disk-store.ts';

/** An error that the program does not foresee is more likely a fault of ours than a passing one: few tries. */
const MAX_UNFORESEEN_ATTEMPTS = 3;

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
  const late = Date.now() - (watch.progressedAtMs ?? scheduledTimestampMs) >= watch.retryForMs;
  const retryable = isRetryable(known.code) && !unforeseen && !late;
  return ApplicationFailure.create({
    message: known.message,
    type: known.code,
    nonRetryable: !retryable,
    details: [toRunError(known, watch.source)],
    ...(error instanceof Error && known.code === 'INTERNAL' ? { cause: error } : {}),
    ...(known.details.retryAfterSeconds === undefined
      ? {}
      : { nextRetryDelay: Math.min(known.details.retryAfterSeconds * 1000, watch.retryForMs) }),
  });
}

function toRunError(error: LonghaulError, source: string | undefined): RunError {
  const blamed = error.details.source ?? source;
  return {
    code: error.code,
    message: error.message,
    hint: hintOf(error.code, error.details),
    retryable: isRetryable(error.code),
    ...(blamed === undefined ? {} : { source: blamed }),
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
