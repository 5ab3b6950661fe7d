import { open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { windows1252ToUtf8 } from '../csv/encoding.ts';
import { rewriteRecords } from '../csv/rewrite.ts';
import type { CsvScan } from '../model/scan.ts';
import type { Encoding } from '../model/dataset.ts';
import { storageError } from '../storage/disk-errors.ts';
import { locationBlocks, type Location } from '../storage/location.ts';
import type { TypedFile } from './engine.ts';
import { ofCatalogue, type PlainError } from './engine-errors.ts';
import { runInChildren } from './in-child.ts';
import { readBlocks, type FileRange, type RecordRange } from './ranges.ts';

/** Delimiters that every converter reads correctly. Any other delimiter is rewritten to a comma. */
const TRUSTED_DELIMITERS = new Set([',', ';', '\t', '|']);

/** Whether a converter's reader, given the dialect, sees the same records as an exact RFC 4180 reader. */
export function readsExactly(scan: CsvScan, encoding: Encoding): boolean {
  const { crlf, lf, cr } = scan.lineEnds;
  return (
    scan.header.length > 1 && // The reader drops empty lines of a one-column file.
    scan.blankLines === 0 &&
    scan.bareQuotes.count === 0 &&
    cr === 0 &&
    (crlf === 0 || lf === 0) &&
    TRUSTED_DELIMITERS.has(scan.dialect.delimiter) &&
    !scan.header.some((name) => /[\r\n]/.test(name)) &&
    // Java reads bytes that Windows-1252 lacks as U+FFFD.
    (encoding === 'utf-8' || scan.encoding.firstUndefinedWindows1252 === undefined)
  );
}

/** Line end of a file that is read unchanged. Without it a reader guesses from the first break, even one in quotes. */
export function lineEndOf(scan: Pick<CsvScan, 'lineEnds'>): '\n' | '\r\n' {
  return scan.lineEnds.crlf > 0 ? '\r\n' : '\n';
}

/** Whether a reader would take the first bytes of one of these ranges for a byte order mark, and skip them. */
export async function anyIsMarked(
  location: Location,
  ranges: readonly { start: number; end: number }[],
  signal: AbortSignal,
): Promise<boolean> {
  for (const { start, end } of ranges) {
    const head: Buffer[] = [];
    const wanted = { start, end: Math.min(end, start + MARK_BYTES), signal };
    for await (const block of locationBlocks(location, wanted)) head.push(Buffer.from(block));
    const bytes = Buffer.concat(head);
    if (MARKS.some((mark) => bytes.subarray(0, mark.length).equals(mark))) return true;
  }
  return false;
}

const MARK_BYTES = 3;
/** Marks of UTF-8 and UTF-16. A file with a mark of UTF-32 has NUL bytes, which landing refuses. */
const MARKS = [
  [0xef, 0xbb, 0xbf],
  [0xfe, 0xff],
  [0xff, 0xfe],
].map((bytes) => Buffer.from(bytes));

/**
 * Changes to a landed file's records that a converter needs. Mark, header and the blank lines behind it are never among
 * these records.
 */
export interface Preparation extends FileRange {
  /** Path on this machine. */
  outputPath: string;
  /** Header line. Without it a reader would skip a value's first bytes if they look like a byte order mark. */
  header: string;
  /** Whether Windows-1252 becomes UTF-8. */
  transcode: boolean;
  /** Whether records become plain commas and LF: see `rewriteRecords`. */
  rewrite: boolean;
  /** Delimiter as a byte. */
  delimiter: number;
  columns: number;
}

export function preparationOf(
  { location, scan, encoding, schema }: TypedFile,
  { start, end }: RecordRange,
  outputPath: string,
  rewrite: boolean,
): Preparation {
  const { delimiter } = scan.dialect;
  const names = schema.columns.map((_, index) => `c${index}`);
  return {
    ...{ location, start, end, outputPath, rewrite },
    header: rewrite ? `${names.join(',')}\n` : names.join(delimiter) + lineEndOf(scan),
    transcode: encoding === 'windows-1252' && !scan.encoding.ascii,
    delimiter: delimiter.charCodeAt(0),
    columns: names.length,
  };
}

/**
 * Writes the prepared file block by block. Memory is a few blocks or the longest record.
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
 * Prepares ranges in children, as many at once as there are cores.
 * @param onProgress bytes read so far in all ranges.
 * @throws LonghaulError DISK_FULL, LAKE_…, STORE_… of S3; the signal's reason.
 */
export async function prepareInChildren(
  ranges: readonly Preparation[],
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const children = ranges.map((job) => ({
    ...{ work: 'prepare' as const, job, program: 'Preparation' },
    errorOf: (error: PlainError) => preparationError(error, job.outputPath),
  }));
  await runInChildren(children, signal, onProgress, availableParallelism());
}

function preparationError(error: PlainError, path: string): Error {
  const plain = Object.assign(new Error(error.message), { code: error.code });
  return ofCatalogue(error) ?? (storageError(plain, path) as Error);
}
