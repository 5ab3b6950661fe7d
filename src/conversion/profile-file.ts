import { availableParallelism } from 'node:os';
import { emptyProfile, mergeProfiles, profileRecords, type Profile } from '../csv/profile.ts';
import type { Location } from '../storage/location.ts';
import { readBlocks, type FileRange } from './blocks.ts';
import { runInThreads } from './thread.ts';

/** Below this, starting a thread takes longer than the work. */
const MIN_BYTES_FOR_THREADS = 32 * 1024 * 1024;

interface FileToProfile {
  location: Location;
  bytes: number;
  /** Where records start; the first one is the first data record. Empty: no record at all. */
  splits: readonly number[];
  columns: number;
  /** A byte. */
  delimiter: number;
  signal: AbortSignal;
  /** Bytes of the file done so far, header included. */
  onProgress: (bytes: number) => void;
}

/** Plain data, so that it can be sent to a thread. */
export interface RangeToProfile extends FileRange {
  columns: number;
  delimiter: number;
}

/** What the whole file says of its columns, found on every core; the same however the file is cut. */
export async function profileFile(file: FileToProfile): Promise<Profile> {
  const { signal, onProgress, splits } = file;
  signal.throwIfAborted();
  let done = splits[0] ?? 0;
  const advance = (bytes: number): void => onProgress((done += bytes));
  const ranges = cut(file, file.bytes < MIN_BYTES_FOR_THREADS ? 1 : availableParallelism());
  const profiles =
    ranges.length > 1
      ? await runInThreads<RangeToProfile, Profile>(
          ranges.map((job) => ({ work: 'profile', job, onProgress: advance })),
          signal,
        )
      : await Promise.all(ranges.map((range) => profileRange(range, advance, signal)));
  const total = emptyProfile(file.columns);
  for (const profile of profiles) mergeProfiles(total, profile);
  return total;
}

/** @param onProgress gets the bytes done since the last call. */
export async function profileRange(
  range: RangeToProfile,
  onProgress: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<Profile> {
  const profile = emptyProfile(range.columns);
  await readBlocks(
    range,
    (bytes, block) => {
      const left = profileRecords(profile, bytes, block, range.delimiter);
      onProgress(left);
      return left;
    },
    signal,
  );
  return profile;
}

/** About as many bytes in each range: sequential reading for every thread. */
function cut(file: FileToProfile, ranges: number): RangeToProfile[] {
  const { location, bytes, splits, columns, delimiter } = file;
  const size = Math.ceil(splits.length / ranges);
  const result: RangeToProfile[] = [];
  for (let at = 0; at < splits.length; at += size) {
    const start = splits[at] ?? bytes;
    result.push({ location, start, end: splits[at + size] ?? bytes, columns, delimiter });
  }
  return result;
}
