import { availableParallelism } from 'node:os';
import { storageError } from '../../storage/disk-errors.ts';
import { ofCatalogue, type PlainError } from '../plain-error.ts';
import { runInThread } from '../thread.ts';
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
  const failing = new AbortController();
  const stop = AbortSignal.any([signal, failing.signal]);
  const waiting = [...ranges.entries()];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [index, range] = next;
      await runInThread({
        script: 'prepare-worker',
        moduleUrl: import.meta.url,
        job: range,
        signal: stop,
        onProgress: (bytes) => {
          done[index] = bytes;
          onProgress(done.reduce((sum, each) => sum + each, 0));
        },
        errorOf: (error) => preparationError(error, range.outputPath),
      });
    }
  };
  const lanes = Array.from({ length: Math.min(availableParallelism(), ranges.length) }, lane);
  try {
    await Promise.all(lanes);
  } catch (error) {
    failing.abort(error);
    // None of them writes any more when its folder is removed.
    await Promise.allSettled(lanes);
    throw error;
  }
}

function preparationError(error: PlainError, path: string): Error {
  const plain = Object.assign(new Error(error.message), { code: error.code });
  return ofCatalogue(error) ?? (storageError(plain, path) as Error);
}
