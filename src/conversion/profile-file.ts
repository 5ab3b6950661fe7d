import { availableParallelism } from 'node:os';
import { emptyProfile, mergeProfiles, profileRecords, type Profile } from '../csv/profile.ts';
import type { Location } from '../storage/location.ts';
import { cutRecords, readBlocks, type FileRange, type FileToCut } from './ranges.ts';
import { runInThreads } from './thread.ts';

/** For smaller files, starting a thread takes longer than the work. */
const MIN_BYTES_FOR_THREADS = 32 * 1024 * 1024;

interface FileToProfile extends FileToCut {
  location: Location;
  columns: number;
  /** Delimiter as a byte. */
  delimiter: number;
  signal: AbortSignal;
  /** Bytes of the file done so far, header included. */
  onProgress: (bytes: number) => void;
}

/** Plain data, which a thread can receive. */
export interface RangeToProfile extends FileRange {
  columns: number;
  delimiter: number;
}

/** Profiles all columns of a file on every core. The result does not depend on how the file is cut. */
export async function profileFile(file: FileToProfile): Promise<Profile> {
  const { location, columns, delimiter, signal } = file;
  signal.throwIfAborted();
  const before = file.scan.splits[0] ?? 0;
  const onProgress = (bytes: number): void => file.onProgress(before + bytes);
  const threads = file.bytes < MIN_BYTES_FOR_THREADS ? 1 : availableParallelism();
  const ranges = cutRecords(file, threads).map(({ start, end }): RangeToProfile => ({
    ...{ location, start, end, columns, delimiter },
  }));
  const jobs = ranges.map((job) => ({ work: 'profile' as const, job }));
  const profiles =
    ranges.length > 1
      ? await runInThreads<RangeToProfile, Profile>(jobs, signal, onProgress)
      : await Promise.all(ranges.map((range) => profileRange(range, onProgress, signal)));
  const total = emptyProfile(columns);
  for (const profile of profiles) mergeProfiles(total, profile);
  return total;
}

/** @param onProgress bytes of the range done so far. */
export async function profileRange(
  range: RangeToProfile,
  onProgress: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<Profile> {
  const profile = emptyProfile(range.columns);
  await readBlocks(
    range,
    (bytes, block, position) => {
      const left = profileRecords(profile, bytes, block, range.delimiter);
      onProgress(position + left - range.start);
      return left;
    },
    signal,
  );
  return profile;
}
