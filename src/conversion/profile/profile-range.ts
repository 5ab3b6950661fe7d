import { readBlocks } from '../csv/blocks.ts';
import type { FileRange } from '../csv/blocks.ts';
import { emptyProfile, profileRecords } from './profiler.ts';
import type { Profile } from './profiler.ts';

/** Plain data, so that it can be sent to a thread. */
export interface RangeToProfile extends FileRange {
  columns: number;
  /** A byte. */
  delimiter: number;
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
