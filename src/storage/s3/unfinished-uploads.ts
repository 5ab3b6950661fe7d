import { eachPart, isLost } from './upload-parts.ts';
import { abortUpload, listUploads, type OpenUpload } from './uploads.ts';
import type { S3Zone } from './zone.ts';

/** An upload with what it holds: S3 keeps, and bills, the parts until it is completed or aborted. */
export interface UnfinishedUpload {
  /** Relative to the zone. */
  key: string;
  /** Of the parts that have arrived. */
  bytes: number;
  /** When it was begun, or its last part arrived. */
  modifiedAtMs: number;
  /** No error where it is gone already. */
  abort: () => Promise<void>;
}

/** Those below a prefix whose key is wanted; only their parts are asked for. */
export async function* unfinishedUploads(
  zone: S3Zone,
  prefix: string,
  isWanted: (key: string) => boolean,
): AsyncIterable<UnfinishedUpload> {
  for await (const upload of listUploads(zone, prefix)) {
    if (!isWanted(upload.key)) continue;
    const parts = await partsOf(zone, upload);
    if (!parts) continue;
    const { key, uploadId, initiatedAtMs } = upload;
    yield {
      key,
      bytes: parts.bytes,
      modifiedAtMs: Math.max(initiatedAtMs, parts.modifiedAtMs),
      abort: async () => await abortUpload(zone, key, uploadId),
    };
  }
}

/** Undefined where the upload has ended since it was listed. */
async function partsOf(
  zone: S3Zone,
  upload: OpenUpload,
): Promise<{ bytes: number; modifiedAtMs: number } | undefined> {
  const found = { bytes: 0, modifiedAtMs: 0 };
  try {
    for await (const { Size = 0, LastModified } of eachPart(zone, upload)) {
      found.bytes += Size;
      found.modifiedAtMs = Math.max(found.modifiedAtMs, LastModified?.getTime() ?? 0);
    }
    return found;
  } catch (error) {
    if (isLost(error)) return undefined;
    throw error;
  }
}
