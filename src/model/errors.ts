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
  /** The source's id, where one is to blame. */
  source?: string;
  /** What the publisher asked for, seconds. */
  retryAfterSeconds?: number;
  /** Replaces the catalogue's `next` where this case has a better one. */
  hint?: string;
  /** What a program on another machine printed last. */
  log?: ErrorLog;
}

export interface ErrorLog {
  /** Where the whole of it lies, or will lie. */
  uri: string;
  /** Its last lines, printable; none where it is not there yet. */
  lines: string[];
}

/** The one error class that crosses this program's layers; `code` indexes the catalogue. */
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

/** For `RetryPolicy.nonRetryableErrorTypes`. */
export const NON_RETRYABLE_CODES: readonly ErrorCode[] = (
  Object.keys(ERROR_CATALOGUE) as ErrorCode[]
).filter((code) => !isRetryable(code));
