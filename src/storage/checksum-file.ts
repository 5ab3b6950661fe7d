import { crc32 } from 'node:zlib';
import { formatChecksum } from '../model/checksum.ts';
import { placeBlocks } from './place-blocks.ts';
import type { StoredPlace } from './place.ts';

/**
 * `crc32:` and 8 hex digits, over every byte of an object, read now.
 * @throws LonghaulError LAKE_CORRUPT where it is gone; STORE_… of S3; the signal's reason.
 */
export async function checksumPlace(place: StoredPlace, signal?: AbortSignal): Promise<string> {
  let state = 0;
  for await (const block of placeBlocks(place, { signal })) state = crc32(block, state);
  return formatChecksum(state);
}
