import { ERROR_CLASSES, type CatalogueEntry } from './error-catalogue.ts';

export type ErrorClass = keyof typeof ERROR_CLASSES;
export type ErrorCode = {
  [Class in ErrorClass]: keyof (typeof ERROR_CLASSES)[Class]['codes'];
}[ErrorClass];

/** The catalogue by code. */
export const ERROR_CATALOGUE = Object.fromEntries(
  Object.entries(ERROR_CLASSES).flatMap(([name, { codes }]) =>
    Object.entries(codes).map(([code, entry]) => [code, { class: name, ...entry }]),
  ),
) as Readonly<Record<ErrorCode, CatalogueEntry & { class: ErrorClass }>>;

export interface ErrorDetails {
  /** Id of the source that caused the error. */
  source?: string;
  /** Seconds that the publisher wants the worker to wait. */
  retryAfterSeconds?: number;
  /** Replaces the catalogue's `next` if this case has a better hint. */
  hint?: string;
  /** What a program on another machine printed last. */
  log?: ErrorLog;
}

export interface ErrorLog {
  /** Address of the whole log, which may not be there yet. */
  uri: string;
  /** The last lines of the log, printable. Empty if the log is not there yet. */
  lines: string[];
}

/** The only error class that crosses the layers of this program. `code` is a key of the catalogue. */
export class LonghaulError extends Error {
  override readonly name = 'LonghaulError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  /** @param message what happened in this case: one sentence with its numbers, offsets, addresses. */
  constructor(
    code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_CATALOGUE, value);
}

export function isRetryable(code: ErrorCode): boolean {
  return ERROR_CLASSES[ERROR_CATALOGUE[code].class].retryable;
}

export function exitCodeOf(code: ErrorCode): number {
  return ERROR_CLASSES[ERROR_CATALOGUE[code].class].exitCode;
}

export function hintOf(code: ErrorCode, details: ErrorDetails = {}): string {
  return details.hint ?? ERROR_CATALOGUE[code].next;
}

/** The codes for `RetryPolicy.nonRetryableErrorTypes`. */
export const NON_RETRYABLE_CODES: readonly ErrorCode[] = (
  Object.keys(ERROR_CATALOGUE) as ErrorCode[]
).filter((code) => !isRetryable(code));
