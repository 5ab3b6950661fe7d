import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { duckDbS3Error } from '../../storage/s3/engine-errors.ts';
import { ofCatalogue, type PlainError } from '../plain-error.ts';

/**
 * The catalogue's error for what the child says: DuckDB's messages have their kind in their first words.
 * @param bucket where the job reaches into one.
 */
export function jobError(error: PlainError, bucket: string | undefined): LonghaulError {
  const known = ofCatalogue(error);
  if (known) return known;
  const { message } = error;
  const line = `DuckDB: ${firstLine(message)}`;
  if (/no space left on device|disk quota exceeded|ENOSPC|EDQUOT/i.test(message)) {
    return new LonghaulError('DISK_FULL', line);
  }
  if (/permission denied|read-only file system|EACCES|EROFS/i.test(message)) {
    return new LonghaulError('LAKE_NOT_WRITABLE', line);
  }
  if (/out of memory|failed to allocate|could not allocate/i.test(message)) {
    return new LonghaulError('ENGINE_OUT_OF_MEMORY', line);
  }
  const ofStore = bucket === undefined ? undefined : storeError(message, bucket);
  return ofStore ?? new LonghaulError('ENGINE_FAILED', line);
}

/** An error of HTTP without a status is a connection that broke off. */
function storeError(message: string, bucket: string): LonghaulError | undefined {
  const found = duckDbS3Error(uploadsAlike(message), bucket);
  if (found || !message.startsWith('HTTP Error')) return found;
  return new LonghaulError('STORE_UNREACHABLE', `DuckDB: ${firstLine(message)}`);
}

/** DuckDB's message about an upload is `Unable to connect to URL s3://…: Forbidden (HTTP code 403)`, without a method. */
function uploadsAlike(message: string): string {
  return message.replace(
    /^HTTP Error: Unable to connect to URL (\S+?): (.*?) \(HTTP code (\d+)\)/,
    "HTTP Error: HTTP PUT error writing '$1' (HTTP $3 $2)",
  );
}

/** SIGKILL that is not ours is the kernel's, or a container's, answer to too much memory. */
export function deathError(
  code: number | null,
  signal: string | null,
  stderr: string,
): LonghaulError {
  if (signal === 'SIGKILL' || /heap out of memory|bad_alloc/i.test(stderr)) {
    return new LonghaulError(
      'ENGINE_OUT_OF_MEMORY',
      `DuckDB's process was ended (${signal ?? code}), most likely for using too much memory.`,
    );
  }
  const cause = stderr ? `: ${firstLine(stderr)}` : '.';
  return new LonghaulError(
    'ENGINE_FAILED',
    `DuckDB's process ended with ${signal ?? code ?? 'no code'}${cause}`,
  );
}

/** Long enough for a message with its path, short enough for one line of a terminal or two. */
const MAX_LINE_CHARACTERS = 400;

function firstLine(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return printable(line.slice(0, MAX_LINE_CHARACTERS));
}
