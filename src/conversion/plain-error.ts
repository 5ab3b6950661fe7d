import { isErrorCode, LonghaulError, type ErrorDetails } from '../model/errors.ts';

/** An error as plain data: structured clones of errors lose their class. */
export interface PlainError {
  message: string;
  /** A code of the catalogue, or the system's (`ENOSPC`). */
  code?: string;
  details?: ErrorDetails;
}

/** Takes any thrown value: some libraries throw strings. */
export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { message: String(error) };
  const { code, details } = error as { code?: unknown; details?: ErrorDetails };
  return {
    message: error.message,
    ...(typeof code === 'string' ? { code } : {}),
    details,
  };
}

/** The error of the catalogue that it was; undefined where it was none. */
export function ofCatalogue({ message, code, details }: PlainError): LonghaulError | undefined {
  return isErrorCode(code) ? new LonghaulError(code, message, details) : undefined;
}
