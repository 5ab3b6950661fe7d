import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
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
  let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  while (marker) {
    const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
      Bucket: zone.bucket,
      Prefix: zone.keyOf(prefix),
      ...marker,
    });
    const page = await zone.send(command, 'ListBucketMultipartUploads');
    for (const { Key = '', UploadId = '', Initiated } of page.Uploads ?? []) {
      const initiatedAtMs = Initiated?.getTime() ?? 0;
      yield { key: zone.relative(Key), uploadId: UploadId, initiatedAtMs };
    }
    marker = page.IsTruncated
      ? { KeyMarker: page.NextKeyMarker ?? '', UploadIdMarker: page.NextUploadIdMarker ?? '' }
      : undefined;
  }
}

/** No error where the upload is gone already. */
export async function abortUpload(zone: S3Zone, key: string, uploadId: string): Promise<void> {
  const isGone = (error: unknown): boolean =>
    error instanceof Error && error.name === 'NoSuchUpload';
  const command = new AbortMultipartUploadCommand({
    Bucket: zone.bucket,
    Key: zone.keyOf(key),
    UploadId: uploadId,
  });
  try {
    await zone.send(command, 'AbortMultipartUpload', { expected: isGone });
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

export async function abortUploads(zone: S3Zone, prefix: string): Promise<void> {
  for await (const { key, uploadId } of listUploads(zone, prefix)) {
    await abortUpload(zone, key, uploadId);
  }
}
