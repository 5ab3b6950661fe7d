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

/** Bytes of one read: few system calls, little memory. */
const BLOCK_BYTES = 1024 * 1024;

export interface BytesWanted {
  /** The first byte; default 0. */
  start?: number;
  /** Byte after the last one. The object must reach that far. Default: the object's end. */
  end?: number;
  /** Ends a read that waits. */
  signal?: AbortSignal | undefined;
}

/**
 * The bytes of an object, block by block. A block is valid until the caller asks for the next one.
 * @throws LonghaulError LAKE_CORRUPT if the object does not exist, or ends before `end`; STORE_… of S3; the signal's
 * reason.
 */
export async function* locationBlocks(
  location: Location,
  { start = 0, end = Infinity, signal }: BytesWanted = {},
): AsyncGenerator<Buffer> {
  signal?.throwIfAborted();
  if (end <= start) return;
  let position = start;
  for await (const block of await blocksOf(location, { start, end, signal })) {
    signal?.throwIfAborted();
    position += block.length;
    yield block;
  }
  if (position >= end || end === Infinity) return;
  const message = `${uriOf(location)} ends at byte ${position}: it was cut short.`;
  throw new LonghaulError('LAKE_CORRUPT', message);
}

async function blocksOf(
  location: Location,
  { start, end, signal }: { start: number; end: number; signal: AbortSignal | undefined },
): Promise<AsyncIterable<Buffer>> {
  if (location.kind === 'disk') return fileBlocks(location.path, start, end);
  // The SDK takes 150 ms to load. Commands and child processes of a lake on disk do not load it.
  const { objectBlocks } = await import('./s3/objects.ts');
  const { S3Prefix } = await import('./s3/prefix.ts');
  const bucket = new S3Prefix(location.settings, '');
  return objectBlocks(bucket, location.key, { start, end, signal });
}

async function* fileBlocks(path: string, start: number, end: number): AsyncGenerator<Buffer> {
  const file = await open(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new LonghaulError('LAKE_CORRUPT', `${path} is gone.`, {}, { cause: error });
  });
  try {
    const buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    for (let position = start; position < end;) {
      const wanted = Math.min(buffer.length, end - position);
      const { bytesRead } = await file.read(buffer, 0, wanted, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
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
