import { UploadPartCopyCommand } from '@aws-sdk/client-s3';
import type { StoredRange } from '../store.ts';
import { multipart, unquoted, type SentPart, type UploadRef } from './upload-parts.ts';
import type { S3Zone } from './zone.ts';

/**
 * One request copies so much: S3 takes some seconds for it, far from any timeout, and a few go side by side.
 * (S3 itself allows 5 MiB to 5 GiB.)
 */
const COPY_PART_BYTES = 256 * 1024 * 1024;

/** Bytes of an object of this bucket as an object of their own, copied by S3. */
export async function copyRange(
  zone: S3Zone,
  { place, start, end }: StoredRange,
  to: string,
  signal?: AbortSignal,
): Promise<void> {
  if (place.kind !== 's3') throw new TypeError('Of a file on disk, S3 copies nothing.');
  const source = copySourceOf(place.settings.bucket, place.key);
  const ranges = cut(start, end);
  await multipart(zone, to, false, async (upload) => {
    const parts: SentPart[] = [];
    const copy = async (index: number, range: string): Promise<void> => {
      parts[index] = await copyPart(zone, upload, { source, range, number: index + 1 }, signal);
    };
    const lanes = zone.settings.uploadConcurrency;
    for (let first = 0; first < ranges.length; first += lanes) {
      const group = ranges.slice(first, first + lanes);
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
  zone: S3Zone,
  { key, uploadId }: UploadRef,
  { source, range, number }: { source: string; range: string; number: number },
  signal?: AbortSignal,
): Promise<SentPart> {
  const command = new UploadPartCopyCommand({
    Bucket: zone.bucket,
    Key: zone.keyOf(key),
    UploadId: uploadId,
    PartNumber: number,
    CopySource: source,
    CopySourceRange: range,
  });
  const { CopyPartResult } = await zone.send(command, 'GetObject', { signal });
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
