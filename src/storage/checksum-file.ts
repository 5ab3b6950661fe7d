import { crc32 } from 'node:zlib';
import { formatChecksum } from '../model/checksum.ts';
import { placeBlocks } from './place-blocks.ts';
import type { StoredPlace } from './place.ts';

/** `crc32:` and 8 hex digits, over every byte of a file. */
export async function checksumFile(path: string, signal?: AbortSignal): Promise<string> {
  return await checksumPlace({ kind: 'disk', path }, signal);
}

/**
 * The same of an object anywhere, read byte by byte: `Store.checksum` of S3 says what S3 once computed.
 * @throws LonghaulError LAKE_CORRUPT where it is gone; STORE_… of S3; the signal's reason.
 */
export async function checksumPlace(place: StoredPlace, signal?: AbortSignal): Promise<string> {
  let state = 0;
  for await (const block of placeBlocks(place, { signal })) state = crc32(block, state);
  return formatChecksum(state);
}
