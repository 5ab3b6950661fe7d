import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { fromS3Checksum, toS3Checksum } from './checksums.ts';
import { isTaken, statusOf } from './errors.ts';
import { unquoted } from './upload-parts.ts';
import type { S3Zone } from './zone.ts';

/** What S3 says of an object as it is now. */
export interface FoundObject {
  bytes: number;
  etag: string;
  /** `crc32:` and 8 hex digits, of the whole; undefined where S3 keeps none. */
  checksum?: string | undefined;
}

/** Undefined where there is no such object. */
export async function findObject(
  zone: S3Zone,
  key: string,
  signal?: AbortSignal,
): Promise<FoundObject | undefined> {
  const command = new HeadObjectCommand({
    Bucket: zone.bucket,
    Key: zone.keyOf(key),
    ...(zone.settings.checksums ? { ChecksumMode: 'ENABLED' as const } : {}),
  });
  const isAbsent = (error: unknown): boolean => statusOf(error) === 404;
  try {
    const head = await zone.send(command, 'GetObject', { signal, expected: isAbsent });
    return {
      bytes: head.ContentLength ?? 0,
      etag: unquoted(head.ETag),
      checksum: fromS3Checksum(head.ChecksumCRC32, head.ChecksumType),
    };
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/**
 * One request, if the key is free.
 * @returns the object's ETag.
 * @throws the SDK's error for 409 and 412; LonghaulError STORE_….
 */
export async function putIfFree(
  zone: S3Zone,
  key: string,
  { body, crc32 }: { body: Buffer; crc32: number },
  signal: AbortSignal,
): Promise<string> {
  const command = new PutObjectCommand({
    Bucket: zone.bucket,
    Key: zone.keyOf(key),
    Body: body,
    ContentLength: body.length,
    IfNoneMatch: '*',
    ...(zone.settings.checksums ? { ChecksumCRC32: toS3Checksum(crc32) } : {}),
  });
  const output = await zone.send(command, 'PutObject', { signal, expected: isTaken });
  return unquoted(output.ETag);
}
