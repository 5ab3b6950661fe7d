import { formatChecksum } from '../model/checksum.ts';
import { LonghaulError } from '../model/errors.ts';
import { listParts } from '../storage/s3/upload-parts.ts';
import { findObject } from '../storage/s3/objects.ts';
import type { S3Store } from '../storage/s3/s3-store.ts';
import { abortUpload, listUploads } from '../storage/s3/uploads.ts';
import { checkpointKey } from './checkpoint.ts';
import { areCovered } from './part-plan.ts';
import { decodeCheckpoint, type S3Checkpoint } from './s3-checkpoint.ts';
import { isExpected } from './s3-publish.ts';
import { S3Sink } from './s3-sink.ts';
import type { LandingSinks, Target, Unfinished } from './sink.ts';

/** Landings in S3: a multipart upload to the landing's own key, and a checkpoint beside it. */
export function s3Sinks(store: S3Store): LandingSinks {
  const open = async (target: Target, resumed?: S3Checkpoint): Promise<S3Sink> =>
    await Promise.resolve(new S3Sink({ ...target, store }, resumed));
  return {
    find: async (rawKey, sourceKey): Promise<Unfinished | undefined> => {
      const checkpoint = await claim(store, rawKey);
      if (checkpoint?.sourceKey !== sourceKey) return undefined;
      const resumed = await agreed(store, rawKey, checkpoint);
      const offset = resumed?.boundaries.at(-1)?.bytes;
      if (offset === undefined) return undefined;
      const { validator, totalBytes } = checkpoint;
      return {
        offset,
        validator,
        totalBytes,
        goOn: async (target) => await open(target, resumed),
      };
    },
    begin: async (target) => await open(target),
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
async function claim(store: S3Store, rawKey: string): Promise<S3Checkpoint | undefined> {
  const uploadIds = await uploadIdsOf(store, rawKey);
  const checkpoint = decodeCheckpoint(await store.get(checkpointKey(rawKey)));
  const unnamed = uploadIds.filter((each) => each !== checkpoint?.uploadId);
  await abortAll(store, unnamed, rawKey);
  return checkpoint;
}

/** The checkpoint up to the last boundary that S3's own list of parts agrees with. */
async function agreed(
  store: S3Store,
  rawKey: string,
  checkpoint: S3Checkpoint,
): Promise<S3Checkpoint | undefined> {
  const { boundaries, partSizeBytes, uploadId } = checkpoint;
  try {
    const parts = await listParts(store.zone, { key: rawKey, uploadId });
    const last = boundaries.findLastIndex(({ bytes }) => areCovered(bytes, parts, partSizeBytes));
    return last === -1 ? undefined : { ...checkpoint, boundaries: boundaries.slice(0, last + 1) };
  } catch (error) {
    if (!(error instanceof LonghaulError) || error.code !== 'UPLOAD_LOST') throw error;
    return (await isCompleted(store, rawKey, checkpoint)) ? checkpoint : undefined;
  }
}

/** Its upload became the object, and the worker was killed before it had the manifest written. */
async function isCompleted(
  store: S3Store,
  rawKey: string,
  { boundaries, completingEtag }: S3Checkpoint,
): Promise<boolean> {
  const end = boundaries.at(-1);
  if (!end || completingEtag === undefined) return false;
  const found = await findObject(store.zone, rawKey);
  const expected = {
    bytes: end.bytes,
    checksum: formatChecksum(end.crc32),
    etag: completingEtag,
  };
  return found !== undefined && isExpected(found, expected);
}

async function uploadIdsOf(store: S3Store, rawKey: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { key, uploadId } of listUploads(store.zone, rawKey)) {
    // Other files' keys may begin with this one.
    if (key === rawKey) ids.push(uploadId);
  }
  return ids;
}

async function abortAll(store: S3Store, uploadIds: string[], rawKey: string): Promise<void> {
  for (const uploadId of uploadIds) await abortUpload(store.zone, rawKey, uploadId);
}
