import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { S3Settings } from '../config/settings.ts';
import { formatChecksum } from '../model/texts.ts';
import { LonghaulError } from '../model/errors.ts';

/** Where an object lies, as plain data: it crosses to threads and child processes, and holds no credentials. */
export type Location =
  | { kind: 'disk'; path: string }
  /** `key` is the bucket's, prefix included. */
  | { kind: 's3'; settings: S3Settings; key: string };

/** What a person or DuckDB opens: an absolute path, or an `s3://` URI. */
export function uriOf(location: Location): string {
  return location.kind === 'disk'
    ? location.path
    : `s3://${location.settings.bucket}/${location.key}`;
}

/** Reads an object from wherever a reader wants; made for reading on and on, in few and large pieces. */
export interface LocationReader {
  /** Fills `target` from `position` on, as far as the object goes. @returns the number of bytes read. */
  read(target: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

export interface ReadOptions {
  /** Nothing from here on is wanted: S3 is not asked for it. Default: the object's end. */
  end?: number;
  /** Ends a read that waits. */
  signal?: AbortSignal | undefined;
}

/**
 * @throws LonghaulError LAKE_CORRUPT where there is no such object (S3: at the first read), STORE_… of S3, or the
 *   file system's error.
 */
export async function openLocation(
  location: Location,
  options: ReadOptions = {},
): Promise<LocationReader> {
  if (location.kind === 's3') {
    // The SDK takes 150 ms to load: commands, threads and children of a lake on disk do without it.
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

/** The error for an object that ends at `position`, where more was expected. */
export function cutShort(location: Location, position: number): LonghaulError {
  const message = `${uriOf(location)} ends at byte ${position}: it was cut short.`;
  return new LonghaulError('LAKE_CORRUPT', message);
}

/**
 * `crc32:` and 8 hex digits, over every byte of an object, read now.
 * @throws LonghaulError LAKE_CORRUPT where it is gone; STORE_… of S3; the signal's reason.
 */
export async function checksumAt(location: Location, signal?: AbortSignal): Promise<string> {
  let state = 0;
  for await (const block of locationBlocks(location, { signal })) state = crc32(block, state);
  return formatChecksum(state);
}
