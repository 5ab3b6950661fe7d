import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { startThread } from '../sibling-script.ts';
import { profileRange } from './profile-range.ts';
import { emptyProfile, mergeProfiles } from './profiler.ts';
import type { RangeToProfile } from './profile-range.ts';
import type { ProfileMessage } from './profile-worker.ts';
import type { Profile } from './profiler.ts';

/** Below this, starting a thread takes longer than the work. */
const MIN_BYTES_FOR_THREADS = 32 * 1024 * 1024;

interface FileToProfile {
  path: string;
  bytes: number;
  /** Where records start; the first one is the first data record. Empty: no record at all. */
  splits: readonly number[];
  columns: number;
  delimiter: number;
  signal: AbortSignal;
  /** Bytes of the file done so far, header included. */
  onProgress: (bytes: number) => void;
}

/** What the whole file says of its columns, found on every core; the same however the file is cut. */
export async function profileFile(file: FileToProfile): Promise<Profile> {
  const { signal, onProgress, splits } = file;
  signal.throwIfAborted();
  const ranges = splits.map((start, index) => ({
    path: file.path,
    start,
    end: splits[index + 1] ?? file.bytes,
    columns: file.columns,
    delimiter: file.delimiter,
  }));
  let done = splits[0] ?? 0;
  const advance = (bytes: number): void => onProgress((done += bytes));
  const groups = file.bytes < MIN_BYTES_FOR_THREADS ? [] : grouped(ranges, availableParallelism());
  const profiles =
    groups.length > 1
      ? await inThreads(groups, advance, signal)
      : await inline(ranges, advance, signal);
  const total = emptyProfile(file.columns);
  for (const profile of profiles) mergeProfiles(total, profile);
  return total;
}

async function inline(
  ranges: readonly RangeToProfile[],
  advance: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Profile[]> {
  const profiles: Profile[] = [];
  for (const range of ranges) profiles.push(await profileRange(range, advance, signal));
  return profiles;
}

/** Neighbouring ranges, about as many bytes in each group: sequential reading for every thread. */
function grouped(ranges: readonly RangeToProfile[], groups: number): RangeToProfile[][] {
  const size = Math.ceil(ranges.length / groups);
  const result: RangeToProfile[][] = [];
  for (let at = 0; at < ranges.length; at += size) result.push(ranges.slice(at, at + size));
  return result;
}

async function inThreads(
  groups: readonly RangeToProfile[][],
  advance: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Profile[]> {
  const workers = groups.map((ranges) => startThread('profile-worker', import.meta.url, ranges));
  try {
    return await Promise.all(workers.map((worker) => profileFrom(worker, advance, signal)));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function profileFrom(
  worker: Worker,
  advance: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Profile> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    worker.on('message', (message: ProfileMessage) => {
      if ('bytes' in message) advance(message.bytes);
      else resolve(message.profile);
    });
    worker.once('error', reject);
    worker.once('exit', (code) => {
      signal.removeEventListener('abort', abort);
      reject(new Error(`The thread that reads the columns' types ended with ${code}.`));
    });
  });
}
