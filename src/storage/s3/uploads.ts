import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsOutput,
} from '@aws-sdk/client-s3';
import { isNoSuchUpload } from './errors.ts';
import type { S3Zone } from './zone.ts';

/** A multipart upload that is not finished. */
export interface OpenUpload {
  /** Relative to the zone. */
  key: string;
  uploadId: string;
  initiatedAtMs: number;
}

/** Every unfinished upload below a prefix. */
export async function* listUploads(zone: S3Zone, prefix: string): AsyncIterable<OpenUpload> {
  let marker: Marker | undefined = {};
  while (marker) {
    const page: ListMultipartUploadsOutput = await uploadsAfter(zone, prefix, marker);
    for (const { Key = '', UploadId = '', Initiated } of page.Uploads ?? []) {
      const initiatedAtMs = Initiated?.getTime() ?? 0;
      yield { key: zone.relative(Key), uploadId: UploadId, initiatedAtMs };
    }
    marker = page.IsTruncated
      ? { KeyMarker: page.NextKeyMarker ?? '', UploadIdMarker: page.NextUploadIdMarker ?? '' }
      : undefined;
  }
}

interface Marker {
  KeyMarker?: string;
  UploadIdMarker?: string;
}

/**
 * versitygw 1.8.0 refuses the very UploadIdMarker that it gave. By the key alone it goes on; further uploads of that
 * one key are left out then.
 */
async function uploadsAfter(
  zone: S3Zone,
  prefix: string,
  marker: Marker,
): Promise<ListMultipartUploadsOutput> {
  const at = { Bucket: zone.bucket, Prefix: zone.keyOf(prefix) };
  const isRefused = (error: unknown): boolean =>
    marker.UploadIdMarker !== undefined &&
    error instanceof Error &&
    error.name === 'InvalidArgument';
  try {
    const command = new ListMultipartUploadsCommand({ ...at, ...marker });
    return await zone.send(command, 'ListBucketMultipartUploads', { expected: isRefused });
  } catch (error) {
    if (!isRefused(error)) throw error;
    const { KeyMarker = '' } = marker;
    return await uploadsAfter(zone, prefix, { KeyMarker });
  }
}

/** No error where the upload is gone already. */
export async function abortUpload(zone: S3Zone, key: string, uploadId: string): Promise<void> {
  const command = new AbortMultipartUploadCommand({
    Bucket: zone.bucket,
    Key: zone.keyOf(key),
    UploadId: uploadId,
  });
  try {
    await zone.send(command, 'AbortMultipartUpload', { expected: isNoSuchUpload });
  } catch (error) {
    if (!isNoSuchUpload(error)) throw error;
  }
}

export async function abortUploads(
  zone: S3Zone,
  prefix: string,
  isWanted: (key: string) => boolean = () => true,
): Promise<void> {
  for await (const { key, uploadId } of listUploads(zone, prefix)) {
    if (isWanted(key)) await abortUpload(zone, key, uploadId);
  }
}
