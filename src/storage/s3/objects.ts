import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import * as zlib from 'node:zlib';
import { formatChecksum } from '../../model/texts.ts';
import { isTaken, statusOf } from './errors.ts';
import type { S3Prefix } from './prefix.ts';

/** What S3 says of an object as it is now. */
export interface FoundObject {
  bytes: number;
  etag: string;
  /** `crc32:` and 8 hex digits, of the whole; undefined where S3 keeps none. */
  checksum?: string;
}

/** Undefined where there is no such object. */
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
  /** Of the body, where it is known already. */
  crc32?: number;
  /** Only where no object has the key. */
  ifFree?: boolean;
  signal?: AbortSignal;
}

/**
 * One request.
 * @returns the object's ETag.
 * @throws with `ifFree` the SDK's error for 409 and 412; LonghaulError STORE_….
 */
export async function putObject(
  s3: S3Prefix,
  key: string,
  body: Buffer,
  { crc32 = zlib.crc32(body), ifFree = false, signal }: PutOptions = {},
): Promise<string> {
  const command = new PutObjectCommand({
    ...s3.at(key),
    ...s3.encryption,
    Body: body,
    ContentLength: body.length,
    IfNoneMatch: ifFree ? '*' : undefined,
    ChecksumCRC32: s3.settings.checksums ? toS3Checksum(crc32) : undefined,
  });
  const expected = ifFree ? isTaken : undefined;
  return unquoted((await s3.send(command, 'PutObject', { signal, expected })).ETag);
}

export function unquoted(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}

/** As S3 writes a CRC-32: base64 of its four bytes, the highest first. */
export function toS3Checksum(crc32: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32 >>> 0);
  return bytes.toString('base64');
}

/** `crc32:` and 8 hex digits; undefined where S3 gave none of a whole object (`…-2` is a checksum of checksums). */
function fromS3Checksum(checksum: string | undefined, type?: string): string | undefined {
  if (checksum === undefined || type === 'COMPOSITE' || checksum.includes('-')) return undefined;
  const bytes = Buffer.from(checksum, 'base64');
  return bytes.length === 4 ? formatChecksum(bytes.readUInt32BE()) : undefined;
}
