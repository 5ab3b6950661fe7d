import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { S3Settings } from '../config/settings.ts';
import { formatChecksum } from '../model/texts.ts';
import { LonghaulError } from '../model/errors.ts';

/** Where an object is, as plain data without credentials. Threads and child processes receive it. */
export type Location =
  | { kind: 'disk'; path: string }
  /** `key` is the key in the bucket, prefix included. */
  | { kind: 's3'; settings: S3Settings; key: string };

/** Address that users and DuckDB open: an absolute path, or an `s3://` URI. */
export function uriOf(location: Location): string {
  return location.kind === 'disk'
    ? location.path
    : `s3://${location.settings.bucket}/${location.key}`;
}

/** Reads an object from any position. It is made for reading onwards in few and large pieces. */
export interface LocationReader {
  /** Fills `target` with bytes from `position` on, up to the object's end. @returns the number of bytes read. */
  read(target: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

export interface ReadOptions {
  /** First byte that the caller does not want. The reader does not ask S3 for it. Default: the object's end. */
  end?: number;
  /** Ends a read that waits. */
  signal?: AbortSignal | undefined;
}

/**
 * @throws LonghaulError LAKE_CORRUPT if the object does not exist (in S3: at the first read), STORE_… of S3, or the
 * file system's error.
 */
export async function openLocation(
  location: Location,
  options: ReadOptions = {},
): Promise<LocationReader> {
  if (location.kind === 's3') {
    // The SDK takes 150 ms to load. Commands, threads and child processes of a lake on disk do not load it.
    const { S3ObjectReader } = await import('./s3/objects.ts');
    return new S3ObjectReader(location.settings, location.key, options);
  }
  const file = await open(location.path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new LonghaulError('LAKE_CORRUPT', `${location.path} is gone.`, {}, { cause: error });
  });
  return {
    read: async (target, position) => {
      let at = 0;
      while (at < target.length) {
        const { bytesRead } = await file.read(target, at, target.length - at, position + at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return at;
    },
    close: async () => await file.close(),
  };
}

/** Bytes of one read: few system calls, little memory. */
const BLOCK_BYTES = 1024 * 1024;

export interface BytesWanted {
  /** The first byte; default 0. */
  start?: number;
  /** Byte after the last one. The object must reach that far. Default: the object's end. */
  end?: number;
  signal?: AbortSignal | undefined;
}

/**
 * The bytes of an object, block by block. A block is valid until the caller asks for the next one.
 * @throws LonghaulError LAKE_CORRUPT if the object does not exist, or ends before `end`; STORE_… of S3; the signal's
 * reason.
 */
export async function* locationBlocks(
  location: Location,
  { start = 0, end, signal }: BytesWanted = {},
): AsyncGenerator<Buffer> {
  signal?.throwIfAborted();
  const reader = await openLocation(location, { end, signal });
  try {
    const buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    const limit = end ?? Infinity;
    let position = start;
    while (position < limit) {
      signal?.throwIfAborted();
      const wanted = Math.min(buffer.length, limit - position);
      const bytesRead = await reader.read(buffer.subarray(0, wanted), position);
      if (bytesRead === 0 && end === undefined) return;
      if (bytesRead === 0) throw cutShort(location, position);
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await reader.close();
  }
}

/** The error for an object that ends at `position` although more was expected. */
export function cutShort(location: Location, position: number): LonghaulError {
  const message = `${uriOf(location)} ends at byte ${position}: it was cut short.`;
  return new LonghaulError('LAKE_CORRUPT', message);
}

/**
 * The checksum of every byte of an object, read now: `crc32:` and 8 hex digits.
 * @throws LonghaulError LAKE_CORRUPT if the object is gone; STORE_… of S3; the signal's reason.
 */
export async function checksumAt(location: Location, signal?: AbortSignal): Promise<string> {
  let state = 0;
  for await (const block of locationBlocks(location, { signal })) state = crc32(block, state);
  return formatChecksum(state);
}
