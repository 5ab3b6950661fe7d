import { availableParallelism } from 'node:os';
import { storageError } from '../../storage/disk-errors.ts';
import { ofCatalogue, type PlainError } from '../plain-error.ts';
import { runInThreads } from '../thread.ts';
import type { Preparation } from './prepare.ts';

/**
 * Prepares ranges in threads, as many at once as there are cores.
 * @param onProgress bytes of all ranges read so far.
 * @throws LonghaulError DISK_FULL, LAKE_…, STORE_… of S3; the signal's reason.
 */
export async function prepareRanges(
  ranges: readonly Preparation[],
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const done = ranges.map(() => 0);
  const threads = ranges.map((range, index) => ({
    script: new URL('./prepare-worker.js', import.meta.url),
    job: range,
    onProgress: (bytes: number) => {
      done[index] = bytes;
      onProgress(done.reduce((sum, each) => sum + each, 0));
    },
    errorOf: (error: PlainError) => preparationError(error, range.outputPath),
  }));
  await runInThreads(threads, signal, availableParallelism());
}

function preparationError(error: PlainError, path: string): Error {
  const plain = Object.assign(new Error(error.message), { code: error.code });
  return ofCatalogue(error) ?? (storageError(plain, path) as Error);
}
