import { formatChecksum } from '../model/texts.ts';
import { LonghaulError } from '../model/errors.ts';
import { abortUpload, listParts, listUploads } from '../storage/s3/uploads.ts';
import { findObject } from '../storage/s3/objects.ts';
import type { BucketStore } from '../storage/store.ts';
import {
  checkpointKey,
  unseal,
  type Checkpoint,
  type CheckpointEnd,
  type OpenUpload,
} from './checkpoint.ts';
import { areCovered } from './s3-parts.ts';
import { isExpected } from './s3-publish.ts';
import { S3Sink } from './s3-sink.ts';
import { unfinishedOf, type LandingSinks } from './sink.ts';

/** Landings in S3: a multipart upload to the landing's own key, and a checkpoint beside it. */
export function s3Sinks(store: BucketStore): LandingSinks {
  return {
    find: async (rawKey, sourceKey) => {
      const checkpoint = await claim(store, rawKey);
      if (checkpoint?.sourceKey !== sourceKey || !checkpoint.upload) return undefined;
      const ends = await agreed(store, rawKey, checkpoint.ends, checkpoint.upload);
      return unfinishedOf({ ...checkpoint, ends });
    },
    open: async (target, resumed) => await Promise.resolve(new S3Sink(store, target, resumed)),
    discard: async (rawKey) => {
      await abortAll(store, await uploadIdsOf(store, rawKey), rawKey);
      await store.delete(checkpointKey(rawKey));
    },
  };
}

/**
 * The checkpoint, if there is one. Uploads that it does not name are of attempts that died before they wrote one.
 * They are listed first: one that another worker begins and names after that is not taken for theirs.
 */
async function claim(store: BucketStore, rawKey: string): Promise<Checkpoint | undefined> {
  const uploadIds = await uploadIdsOf(store, rawKey);
  const checkpoint = unseal(await store.get(checkpointKey(rawKey)));
  const unnamed = uploadIds.filter((each) => each !== checkpoint?.upload?.id);
  await abortAll(store, unnamed, rawKey);
  return checkpoint;
}

/** The ends up to the last one that S3's own list of parts agrees with. */
async function agreed(
  store: BucketStore,
  rawKey: string,
  ends: CheckpointEnd[],
  upload: OpenUpload,
): Promise<CheckpointEnd[]> {
  try {
    const parts = await listParts(store.s3, { key: rawKey, uploadId: upload.id });
    const isThere = ({ bytes }: CheckpointEnd): boolean =>
      areCovered(bytes, parts, upload.partSizeBytes);
    return ends.slice(0, ends.findLastIndex(isThere) + 1);
  } catch (error) {
    if (!(error instanceof LonghaulError) || error.code !== 'UPLOAD_LOST') throw error;
    return (await isCompleted(store, rawKey, ends.at(-1), upload)) ? ends : [];
  }
}

/** Its upload became the object, and the worker was killed before it had the manifest written. */
async function isCompleted(
  store: BucketStore,
  rawKey: string,
  end: CheckpointEnd | undefined,
  { completingEtag: etag }: OpenUpload,
): Promise<boolean> {
  if (!end || etag === undefined) return false;
  const found = await findObject(store.s3, rawKey);
  const expected = { bytes: end.bytes, checksum: formatChecksum(end.crc32), etag };
  return found !== undefined && isExpected(found, expected);
}

async function uploadIdsOf(store: BucketStore, rawKey: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { key, uploadId } of listUploads(store.s3, rawKey)) {
    // Other files' keys may begin with this one.
    if (key === rawKey) ids.push(uploadId);
  }
  return ids;
}

async function abortAll(store: BucketStore, uploadIds: string[], rawKey: string): Promise<void> {
  for (const uploadId of uploadIds) await abortUpload(store.s3, rawKey, uploadId);
}
