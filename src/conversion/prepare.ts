import { open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { windows1252ToUtf8 } from '../csv/encoding.ts';
import { rewriteRecords } from '../csv/rewrite.ts';
import type { CsvScan } from '../model/scan.ts';
import type { Encoding } from '../model/dataset.ts';
import type { Schema } from '../model/schema.ts';
import { storageError } from '../storage/disk-errors.ts';
import { openLocation, type Location } from '../storage/location.ts';
import { ofCatalogue, type PlainError } from './engine-errors.ts';
import { readBlocks, type FileRange, type RecordRange } from './ranges.ts';
import { runInThreads } from './thread.ts';

/** Delimiters that every converter takes as they are; any other is rewritten to a comma. */
const TRUSTED_DELIMITERS = new Set([',', ';', '\t', '|']);

/** Whether a converter's reader, given the dialect, sees the records that an exact RFC 4180 reader sees. */
export function readsExactly(scan: CsvScan, encoding: Encoding): boolean {
  const { crlf, lf, cr } = scan.lineEnds;
  return (
    scan.header.length > 1 && // It drops the empty lines of a one-column file.
    scan.blankLines === 0 &&
    scan.bareQuotes.count === 0 &&
    cr === 0 &&
    (crlf === 0 || lf === 0) &&
    TRUSTED_DELIMITERS.has(scan.dialect.delimiter) &&
    !scan.header.some((name) => /[\r\n]/.test(name)) &&
    // Java has U+FFFD for the bytes that Windows-1252 lacks.
    (encoding === 'utf-8' || scan.encoding.firstUndefinedWindows1252 === undefined)
  );
}

/** What ends the records of a file that is read as it is: left to itself, a reader guesses it from the first break, be it in quotes. */
export function lineEndOf(scan: Pick<CsvScan, 'lineEnds'>): '\n' | '\r\n' {
  return scan.lineEnds.crlf > 0 ? '\r\n' : '\n';
}

/** Whether a file that starts at one of these places starts with what a reader takes for a byte order mark, and for no value. */
export async function anyIsMarked(
  location: Location,
  starts: readonly number[],
  signal: AbortSignal,
): Promise<boolean> {
  const reader = await openLocation(location, { signal });
  try {
    for (const start of starts) {
      const bytes = Buffer.alloc(MARK_BYTES);
      await reader.read(bytes, start);
      if (MARKS.some((mark) => bytes.subarray(0, mark.length).equals(mark))) return true;
    }
    return false;
  } finally {
    await reader.close();
  }
}

const MARK_BYTES = 3;
/** Of UTF-8 and UTF-16; a file with one of UTF-32 has NUL bytes. */
const MARKS = [
  [0xef, 0xbb, 0xbf],
  [0xfe, 0xff],
  [0xff, 0xfe],
].map((bytes) => Buffer.from(bytes));

/**
 * What has to be done to records of a landed file before a converter can be trusted with them. Mark, header and the
 * blank lines behind it are never among them.
 */
export interface Preparation extends FileRange {
  /** On this machine. */
  outputPath: string;
  /** Written before the records: a reader takes a byte order mark that starts a file, even a value's, for none of its. */
  header: string;
  /** Windows-1252 → UTF-8. */
  transcode: boolean;
  /** Into plain commas and LF: see `rewriteRecords`. */
  rewrite: boolean;
  /** A byte. */
  delimiter: number;
  columns: number;
}

interface FileToPrepare {
  input: Location;
  scan: CsvScan;
  encoding: Encoding;
  schema: Schema;
}

export function preparationOf(
  { input, scan, encoding, schema }: FileToPrepare,
  { start, end }: RecordRange,
  outputPath: string,
  rewrite: boolean,
): Preparation {
  const { delimiter } = scan.dialect;
  const names = schema.columns.map((_, index) => `c${index}`);
  return {
    ...{ location: input, start, end, outputPath, rewrite },
    header: rewrite ? `${names.join(',')}\n` : names.join(delimiter) + lineEndOf(scan),
    transcode: encoding === 'windows-1252' && !scan.encoding.ascii,
    delimiter: delimiter.charCodeAt(0),
    columns: names.length,
  };
}

/**
 * Writes the prepared file, block by block: memory is a few blocks, or the longest record.
 * @param onProgress bytes read so far.
 */
export async function prepareCsv(
  job: Preparation,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const output = await open(job.outputPath, 'w');
  try {
    await output.writeFile(job.header);
    await readBlocks(job, async (bytes, block, position) => {
      const { written, left } = job.rewrite
        ? rewriteRecords(bytes, block, job)
        : { written: bytes.subarray(0, block.limit), left: block.limit };
      await output.writeFile(job.transcode ? windows1252ToUtf8(written) : written);
      onProgress(position + left - job.start);
      return left;
    });
  } finally {
    await output.close();
  }
}

/**
 * Prepares ranges in threads, as many at once as there are cores.
 * @param onProgress bytes of all ranges read so far.
 * @throws LonghaulError DISK_FULL, LAKE_…, STORE_… of S3; the signal's reason.
 */
export async function prepareInThreads(
  ranges: readonly Preparation[],
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const threads = ranges.map((job) => ({
    work: 'prepare' as const,
    job,
    errorOf: (error: PlainError) => preparationError(error, job.outputPath),
  }));
  await runInThreads(threads, signal, onProgress, availableParallelism());
}

function preparationError(error: PlainError, path: string): Error {
  const plain = Object.assign(new Error(error.message), { code: error.code });
  return ofCatalogue(error) ?? (storageError(plain, path) as Error);
}
