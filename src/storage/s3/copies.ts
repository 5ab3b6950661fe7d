import { UploadPartCopyCommand } from '@aws-sdk/client-s3';
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { StoredRange } from '../store.ts';
import { unquoted } from './objects.ts';
import {
  abortUpload,
  completeUpload,
  createUpload,
  uploadPart,
  type SentPart,
  type UploadRef,
  type Whole,
} from './uploads.ts';
import type { S3Prefix } from './prefix.ts';

/** In memory at once; a thousand of them, of the ten thousand that S3 allows, are 16 GiB. */
const PART_BYTES = 16 * 1024 * 1024;

/** Uploads a file part by part, checked by S3 as a whole: by its length, and by its CRC-32 where the store knows it. */
export async function putFile(
  s3: S3Prefix,
  key: string,
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  const file = await open(path);
  try {
    await multipart(s3, key, s3.settings.checksums, async (upload) => {
      const buffer = Buffer.allocUnsafeSlow(PART_BYTES);
      const parts: SentPart[] = [];
      const whole = { parts, bytes: 0, crc32: 0 };
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, whole.bytes);
        if (bytesRead === 0 && parts.length > 0) return whole;
        const body = buffer.subarray(0, bytesRead);
        const part = { number: parts.length + 1, body, crc32: crc32(body) };
        parts.push(await uploadPart(s3, upload, part, signal));
        whole.crc32 = crc32(body, whole.crc32);
        whole.bytes += bytesRead;
      }
    });
  } finally {
    await file.close();
  }
}

/**
 * One request copies so much: S3 takes some seconds for it, far from any timeout, and a few go side by side.
 * (S3 itself allows 5 MiB to 5 GiB.)
 */
const COPY_PART_BYTES = 256 * 1024 * 1024;

/** Bytes of an object of this bucket as an object of their own, copied by S3. */
export async function copyRange(
  s3: S3Prefix,
  { location, start, end }: StoredRange,
  to: string,
  signal?: AbortSignal,
): Promise<void> {
  if (location.kind !== 's3') throw new TypeError('Of a file on disk, S3 copies nothing.');
  const source = copySourceOf(location.settings.bucket, location.key);
  const ranges = cut(start, end);
  await multipart(s3, to, false, async (upload) => {
    const parts: SentPart[] = [];
    const copy = async (index: number, range: string): Promise<void> => {
      parts[index] = await copyPart(s3, upload, { source, range, number: index + 1 }, signal);
    };
    const concurrency = s3.settings.uploadConcurrency;
    for (let first = 0; first < ranges.length; first += concurrency) {
      const group = ranges.slice(first, first + concurrency);
      // None is under way any more when the upload is aborted.
      const copies = group.map((range, index) => copy(first + index, range));
      for (const done of await Promise.allSettled(copies)) {
        if (done.status === 'rejected') throw done.reason;
      }
    }
    return { parts };
  });
}

async function copyPart(
  s3: S3Prefix,
  { key, uploadId }: UploadRef,
  { source, range, number }: { source: string; range: string; number: number },
  signal?: AbortSignal,
): Promise<SentPart> {
  const command = new UploadPartCopyCommand({
    ...s3.at(key),
    UploadId: uploadId,
    PartNumber: number,
    CopySource: source,
    CopySourceRange: range,
  });
  const { CopyPartResult } = await s3.send(command, 'GetObject', { signal });
  return { number, etag: unquoted(CopyPartResult?.ETag) };
}

/** As S3 wants it: in a URL's escapes, names one by one. */
function copySourceOf(bucket: string, key: string): string {
  return [bucket, ...key.split('/')].map((name) => encodeURIComponent(name)).join('/');
}

/** About equal, so that none is below S3's least. */
function cut(start: number, end: number): string[] {
  const count = Math.ceil((end - start) / COPY_PART_BYTES);
  const at = (index: number): number => start + Math.floor(((end - start) * index) / count);
  return Array.from({ length: count }, (_, index) => `bytes=${at(index)}-${at(index + 1) - 1}`);
}

/**
 * One upload from its start to its object, for an object that only its caller writes; it is aborted where `fill` fails,
 * and no other attempt goes on with it.
 * @param checksums as of `createUpload`. @param fill uploads the parts.
 */
async function multipart(
  s3: S3Prefix,
  key: string,
  checksums: boolean,
  fill: (upload: UploadRef) => Promise<Whole>,
): Promise<void> {
  const upload = { key, uploadId: await createUpload(s3, key, { checksums }) };
  try {
    await completeUpload(s3, upload, await fill(upload));
  } catch (error) {
    // The first error counts; the sweep removes leftovers with the attempt's prefix.
    await abortUpload(s3, key, upload.uploadId).catch(() => undefined);
    throw error;
  }
}
