import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { addAbortSignal, type Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { formatChecksum } from '../../model/texts.ts';
import { LonghaulError } from '../../model/errors.ts';
import { isTaken, statusOf } from './errors.ts';
import type { S3Prefix } from './prefix.ts';

/** An object as S3 now has it. */
export interface FoundObject {
  bytes: number;
  etag: string;
  /** `crc32:` and 8 hex digits, for the whole object. Undefined if S3 keeps none. */
  checksum?: string;
}

/** Returns undefined if there is no object with the key. */
export async function findObject(
  s3: S3Prefix,
  key: string,
  signal?: AbortSignal,
): Promise<FoundObject | undefined> {
  const ChecksumMode = s3.settings.checksums ? 'ENABLED' : undefined;
  const command = new HeadObjectCommand({ ...s3.at(key), ChecksumMode });
  const isAbsent = (error: unknown): boolean => statusOf(error) === 404;
  const head = await s3.find(command, 'GetObject', isAbsent, signal);
  return (
    head && {
      bytes: head.ContentLength ?? 0,
      etag: unquoted(head.ETag),
      checksum: fromS3Checksum(head.ChecksumCRC32, head.ChecksumType),
    }
  );
}

interface PutOptions {
  /** Puts the object only if the key is free. */
  ifFree?: boolean;
  signal?: AbortSignal;
}

/**
 * Puts an object in one request.
 * @returns the object's ETag.
 * @throws with `ifFree` the SDK's error for 409 and 412; LonghaulError STORE_….
 */
export async function putObject(
  s3: S3Prefix,
  key: string,
  body: Buffer,
  { ifFree = false, signal }: PutOptions = {},
): Promise<string> {
  const command = new PutObjectCommand({
    ...s3.at(key),
    ...s3.encryption,
    Body: body,
    ContentLength: body.length,
    IfNoneMatch: ifFree ? '*' : undefined,
    ChecksumCRC32: s3.settings.checksums ? toS3Checksum(crc32(body)) : undefined,
  });
  const expected = ifFree ? isTaken : undefined;
  return unquoted((await s3.send(command, 'PutObject', { signal, expected })).ETag);
}

export function unquoted(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}

/** Returns a CRC-32 in S3's form: base64 of its four bytes, the highest first. */
export function toS3Checksum(crc32: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32 >>> 0);
  return bytes.toString('base64');
}

/** Returns `crc32:` and 8 hex digits. Undefined if S3 has none of the whole (`…-2` is a checksum of checksums). */
function fromS3Checksum(checksum: string | undefined, type?: string): string | undefined {
  if (checksum === undefined || type === 'COMPOSITE' || checksum.includes('-')) return undefined;
  const bytes = Buffer.from(checksum, 'base64');
  return bytes.length === 4 ? formatChecksum(bytes.readUInt32BE()) : undefined;
}

/** Bytes [start, end) of an object in memory, or fewer if it ends before. @throws as `objectBlocks` does. */
export async function readObject(
  s3: S3Prefix,
  key: string,
  wanted: Partial<ObjectRange> = {},
): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for await (const block of objectBlocks(s3, key, { start: 0, end: Infinity, ...wanted })) {
    blocks.push(block);
  }
  return Buffer.concat(blocks);
}

export interface ObjectRange {
  start: number;
  /** Infinity: the object's end. */
  end: number;
  signal?: AbortSignal | undefined;
}

/**
 * The number of tries without a new byte. The SDK does not retry after the headers of an answer. S3 closes the
 * connection of a reader that does not read for some time.
 */
const MAX_ATTEMPTS = 5;

/**
 * Reads an object as one long answer. If the answer breaks off, another request continues there, if the object is still
 * the same.
 * @throws LonghaulError LAKE_CORRUPT if the object is gone or was replaced, STORE_…; the signal's reason.
 */
export async function* objectBlocks(
  s3: S3Prefix,
  key: string,
  { start, end, signal }: ObjectRange,
): AsyncGenerator<Buffer> {
  const expected = (error: unknown): boolean => [404, 412, 416].includes(statusOf(error) ?? 0);
  let position = start;
  let etag: string | undefined;
  for (let failures = 0; position < end;) {
    const before = position;
    try {
      const Range = `bytes=${position}-${end === Infinity ? '' : end - 1}`;
      const command = new GetObjectCommand({ ...s3.at(key), Range, IfMatch: etag });
      const { Body, ETag } = await s3.send(command, 'GetObject', { expected, signal });
      etag ??= ETag;
      const body = Body as unknown as Readable;
      if (signal) addAbortSignal(signal, body);
      for await (const block of body as AsyncIterable<Buffer>) {
        position += block.length;
        yield block;
      }
      return;
    } catch (error) {
      signal?.throwIfAborted();
      const status = statusOf(error);
      // The object ends here.
      if (status === 416) return;
      const what = status === 404 ? 'is gone' : 'was replaced while it was being read';
      const cause = { cause: error };
      if (status === 404 || status === 412) {
        throw new LonghaulError('LAKE_CORRUPT', `${s3.uri(key)} ${what}.`, {}, cause);
      }
      if (error instanceof LonghaulError) throw error;
      failures = position > before ? 1 : failures + 1;
      if (failures < MAX_ATTEMPTS) continue;
      const why = error instanceof Error ? error.message : String(error);
      const broken = `Reading ${s3.uri(key)} broke off ${MAX_ATTEMPTS} times (${why}).`;
      throw new LonghaulError('STORE_UNREACHABLE', broken, {}, cause);
    }
  }
}
