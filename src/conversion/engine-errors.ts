import { isErrorCode, LonghaulError, type ErrorCode, type ErrorDetails } from '../model/errors.ts';
import { printable } from '../model/names.ts';

/** What DuckDB, Spark with its JVM, and Node say of this machine. */
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
 * The catalogue's error for what an engine says.
 * @param line for people: the engine's name, and its words.
 * @param words what decides; by default the line.
 * @param ofStore the error where the words are about S3.
 */
export function engineError(line: string, words = line, ofStore?: LonghaulError): LonghaulError {
  const code = MEANINGS.find(([meant]) => meant.test(words))?.[1];
  // S3 denies access too.
  if (ofStore && (code === undefined || code === 'LAKE_NOT_WRITABLE')) return ofStore;
  return new LonghaulError(code ?? 'ENGINE_FAILED', line);
}

/** Long enough for a message with its path, short enough for one line of a terminal or two. */
const MAX_LINE_CHARACTERS = 400;

/** Of an engine's words, printable. */
export function firstLine(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return printable(line.slice(0, MAX_LINE_CHARACTERS));
}

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
