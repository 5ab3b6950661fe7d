import { isErrorCode, LonghaulError, type ErrorCode, type ErrorDetails } from '../model/errors.ts';
import { printable } from '../model/names.ts';

/** Messages of DuckDB, Spark, its JVM and Node about faults of this machine. */
const MEANINGS: readonly (readonly [words: RegExp, code: ErrorCode])[] = [
  [/no space left on device|disk quota exceeded|ENOSPC|EDQUOT/i, 'DISK_FULL'],
  [
    /out.?of.?memory|failed to allocate|could not allocate|Java heap space|GC overhead|not enough memory to build/i,
    'ENGINE_OUT_OF_MEMORY',
  ],
  [
    /permission denied|read-only file system|EACCES|EROFS|AccessDeniedException|Mkdirs failed/i,
    'LAKE_NOT_WRITABLE',
  ],
];

/**
 * The catalogue's error for an engine's message.
 * @param line text for the user: the engine's name and its message.
 * @param words the text that decides the code.
 * @param ofStore the error to use if the text is about S3.
 */
export function engineError(line: string, words: string, ofStore?: LonghaulError): LonghaulError {
  const code = MEANINGS.find(([meant]) => meant.test(words))?.[1];
  // S3 also says that it denies access.
  if (ofStore && (code === undefined || code === 'LAKE_NOT_WRITABLE')) return ofStore;
  return new LonghaulError(code ?? 'ENGINE_FAILED', line);
}

/** Long enough for a message with a path, and short enough for two lines of a terminal. */
const MAX_LINE_CHARACTERS = 400;

/** The first line of an engine's message, printable. */
export function firstLine(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return printable(line.slice(0, MAX_LINE_CHARACTERS));
}

/** An error as plain data: a structured clone of an error loses its class. */
export interface PlainError {
  message: string;
  /** A code of the catalogue, or of the operating system (`ENOSPC`). */
  code?: string;
  details?: ErrorDetails;
}

/** Accepts any thrown value, because some libraries throw strings. */
export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { message: String(error) };
  const { code, details } = error as { code?: unknown; details?: ErrorDetails };
  return {
    message: error.message,
    ...(typeof code === 'string' ? { code } : {}),
    details,
  };
}

/** Restores an error of the catalogue; undefined for any other error. */
export function ofCatalogue({ message, code, details }: PlainError): LonghaulError | undefined {
  return isErrorCode(code) ? new LonghaulError(code, message, details) : undefined;
}
