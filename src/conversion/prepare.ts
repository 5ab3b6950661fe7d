import { open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { windows1252ToUtf8 } from '../csv/encoding.ts';
import { rewriteRecords } from '../csv/rewrite.ts';
import { storageError } from '../storage/disk-errors.ts';
import { readBlocks, type FileRange } from './blocks.ts';
import { ofCatalogue, type PlainError } from './plain-error.ts';
import { runInThreads } from './thread.ts';

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
  const done = ranges.map(() => 0);
  const threads = ranges.map((job, index) => ({
    work: 'prepare' as const,
    job,
    onProgress: (bytes: number) => {
      done[index] = bytes;
      onProgress(done.reduce((sum, each) => sum + each, 0));
    },
    errorOf: (error: PlainError) => preparationError(error, job.outputPath),
  }));
  await runInThreads(threads, signal, availableParallelism());
}

function preparationError(error: PlainError, path: string): Error {
  const plain = Object.assign(new Error(error.message), { code: error.code });
  return ofCatalogue(error) ?? (storageError(plain, path) as Error);
}
