import { LonghaulError } from '../model/errors.ts';
import { openPlace, uriOf, type StoredPlace } from './place.ts';

/** Read at once: few system calls, little memory. */
const BLOCK_BYTES = 1024 * 1024;

export interface BytesWanted {
  /** The first byte; default 0. */
  start?: number;
  /** Behind the last byte: the object must reach that far. Default: as far as it goes. */
  end?: number;
  signal?: AbortSignal | undefined;
}

/**
 * The bytes of an object, block by block. A block is good until the next one is asked for.
 * @throws LonghaulError LAKE_CORRUPT where there is no such object, or it ends before `end`; STORE_… of S3; the
 *   signal's reason.
 */
export async function* placeBlocks(
  place: StoredPlace,
  { start = 0, end, signal }: BytesWanted = {},
): AsyncGenerator<Buffer> {
  signal?.throwIfAborted();
  const reader = await openPlace(place, { end, signal });
  try {
    const buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    const limit = end ?? Infinity;
    let position = start;
    while (position < limit) {
      signal?.throwIfAborted();
      const wanted = Math.min(buffer.length, limit - position);
      const bytesRead = await reader.read(buffer.subarray(0, wanted), position);
      if (bytesRead === 0 && end === undefined) return;
      if (bytesRead === 0) throw cutShort(place, position);
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await reader.close();
  }
}

/** The error for an object that ends at `position`, where more was expected. */
export function cutShort(place: StoredPlace, position: number): LonghaulError {
  const message = `${uriOf(place)} ends at byte ${position}: it was cut short.`;
  return new LonghaulError('LAKE_CORRUPT', message);
}
