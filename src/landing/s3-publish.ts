import { setTimeout as delay } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import { isTaken } from '../storage/s3/errors.ts';
import { readLanding } from '../storage/manifests.ts';
import { findObject, type FoundObject } from '../storage/s3/objects.ts';
import type { S3Store } from '../storage/s3/s3-store.ts';
import { LandingNameTaken } from './commit.ts';

/** Another writer's conflicting request may stand in the way this often. */
const MAX_TRIES = 4;
/** Between them where S3 says that another request is under way. */
const CONFLICT_WAIT_MS = 500;

/** What the object must be. */
export interface ExpectedObject {
  bytes: number;
  checksum: string;
  /** As it follows from the parts' ETags: for stores that keep no checksum. */
  etag: string;
}

export interface Publication {
  store: S3Store;
  rawKey: string;
  signal: AbortSignal;
}

/**
 * Gives an object its name, and looks at what S3 then has, whatever it answered: an answer may be lost, and of two
 * workers with the same bytes one finds the other's object.
 * @param put does it if the name is free, and returns the ETag; throws the SDK's error for 409 and 412.
 * @throws LandingNameTaken where other bytes have the name; LonghaulError LAKE_CORRUPT where S3 spoilt what it took;
 *   STORE_…, UPLOAD_LOST as `put` does.
 */
export async function publishObject(
  publication: Publication,
  expected: ExpectedObject,
  put: () => Promise<string>,
): Promise<void> {
  const { rawKey, signal } = publication;
  for (let tries = 1; ; tries += 1) {
    const answer = await put().then(
      (etag) => ({ etag }),
      (error: unknown) => ({ error }),
    );
    signal.throwIfAborted();
    const found = await look(publication, answer);
    const answered = 'etag' in answer ? answer.etag : undefined;
    if (found && (isExpected(found, expected) || isAnswered(found, expected, answered))) return;
    if ('etag' in answer) {
      if (!found) throw gone(publication);
      if (await isLanded(publication, found)) throw new LandingNameTaken(rawKey);
      throw damaged(publication, expected, found);
    }
    if (!isTaken(answer.error)) throw answer.error;
    if (found) throw new LandingNameTaken(rawKey);
    if (tries === MAX_TRIES) throw translated(answer.error, publication);
    await delay(CONFLICT_WAIT_MS);
  }
}

/**
 * Whether another writer's landing has the name: versitygw says yes to completing an upload that this writer aborted,
 * where the object is there already.
 */
async function isLanded({ store, rawKey }: Publication, found: FoundObject): Promise<boolean> {
  const landing = await readLanding(store, rawKey);
  return landing?.bytes === found.bytes && landing.checksum === found.checksum;
}

/** By its checksum where S3 keeps one, else by its ETag. */
export function isExpected(found: FoundObject, { bytes, checksum, etag }: ExpectedObject): boolean {
  if (found.bytes !== bytes) return false;
  return found.checksum === undefined ? found.etag === etag : found.checksum === checksum;
}

/** Encrypted with KMS, ETags follow from nothing; the one of S3's answer is then this object's. */
function isAnswered(
  found: FoundObject,
  { bytes }: ExpectedObject,
  answered: string | undefined,
): boolean {
  return found.checksum === undefined && found.bytes === bytes && found.etag === answered;
}

/** Where it failed and looking fails too, the first failure is the one to report. */
async function look(
  { store, rawKey, signal }: Publication,
  answer: { etag: string } | { error: unknown },
): Promise<FoundObject | undefined> {
  try {
    return await findObject(store.zone, rawKey, signal);
  } catch (error) {
    if (!('error' in answer) || isTaken(answer.error)) throw error;
    throw answer.error;
  }
}

function translated(error: unknown, { store, rawKey }: Publication): LonghaulError {
  const what = `Other writers kept S3 from giving ${store.uri(rawKey)} its name ${MAX_TRIES} times.`;
  return new LonghaulError('STORE_UNAVAILABLE', what, {}, { cause: error });
}

function gone({ store, rawKey }: Publication): LonghaulError {
  const what = `S3 says that it has ${store.uri(rawKey)}, and then that there is no such object.`;
  return new LonghaulError('UPLOAD_LOST', what);
}

function damaged(
  { store, rawKey }: Publication,
  expected: ExpectedObject,
  found: FoundObject,
): LonghaulError {
  const what = `S3 took ${store.uri(rawKey)} with ${shown(expected)}, and now has ${shown(found)}.`;
  return new LonghaulError('LAKE_CORRUPT', what);
}

function shown({ bytes, checksum, etag }: FoundObject): string {
  return `${bytes} bytes (${checksum ?? `ETag ${etag}`})`;
}
