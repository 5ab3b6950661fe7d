import { availableParallelism } from 'node:os';
import { storageError } from '../../storage/disk-errors.ts';
import { ofCatalogue, type PlainError } from '../plain-error.ts';
import { startThread } from '../sibling-script.ts';
import type { PrepareMessage } from './prepare-worker.ts';
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
      await prepareInThread(range, stop, (bytes) => {
        done[index] = bytes;
        onProgress(done.reduce((sum, each) => sum + each, 0));
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

async function prepareInThread(
  range: Preparation,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<void> {
  signal.throwIfAborted();
  const worker = startThread('prepare-worker', import.meta.url, range);
  try {
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', abort, { once: true });
      worker.on('message', (message: PrepareMessage) => {
        if ('bytes' in message) onProgress(message.bytes);
        else if ('done' in message) resolve();
        else reject(preparationError(message.error, range.outputPath));
      });
      worker.once('error', reject);
      worker.once('exit', (code) => {
        signal.removeEventListener('abort', abort);
        reject(new Error(`The thread that prepares a range ended with ${code}.`));
      });
    });
  } finally {
    await worker.terminate();
  }
}

function preparationError(error: PlainError, path: string): Error {
  const plain = Object.assign(new Error(error.message), { code: error.code });
  return ofCatalogue(error) ?? (storageError(plain, path) as Error);
}
