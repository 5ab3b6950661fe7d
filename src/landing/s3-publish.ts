import { setTimeout as delay } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import { isTaken } from '../storage/s3/errors.ts';
import { readLanding } from '../storage/manifests.ts';
import { findObject, type FoundObject } from '../storage/s3/objects.ts';
import type { BucketStore } from '../storage/store.ts';
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
  store: BucketStore;
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
  const { store, rawKey, signal } = publication;
  for (let tries = 1; ; tries += 1) {
    let etag: string | undefined;
    let failure: unknown;
    try {
      etag = await put();
    } catch (error) {
      failure = error;
    }
    signal.throwIfAborted();
    const found = await findObject(store.s3, rawKey, signal).catch((error: unknown) => {
      // Where both failed, the first failure is the one to report.
      throw failure === undefined || isTaken(failure) ? error : failure;
    });
    if (found && (isExpected(found, expected) || isAnswered(found, expected, etag))) return;
    if (etag !== undefined) throw await whatIsWrong(publication, expected, found);
    if (!isTaken(failure)) throw failure;
    if (found) throw new LandingNameTaken(rawKey);
    if (tries === MAX_TRIES) {
      const what = `Other writers kept S3 from giving ${store.uri(rawKey)} its name ${MAX_TRIES} times.`;
      throw new LonghaulError('STORE_UNAVAILABLE', what, {}, { cause: failure });
    }
    await delay(CONFLICT_WAIT_MS);
  }
}

/** By its checksum where S3 keeps one, else by its ETag. */
export function isExpected(found: FoundObject, { bytes, checksum, etag }: ExpectedObject): boolean {
  if (found.bytes !== bytes) return false;
  return found.checksum === undefined ? found.etag === etag : found.checksum === checksum;
}

/** Encrypted with KMS, ETags follow from nothing; the one of S3's answer is then this object's. */
function isAnswered(found: FoundObject, { bytes }: ExpectedObject, answered?: string): boolean {
  return found.checksum === undefined && found.bytes === bytes && found.etag === answered;
}

/** S3 accepted the object, and has another one. */
async function whatIsWrong(
  { store, rawKey }: Publication,
  expected: ExpectedObject,
  found: FoundObject | undefined,
): Promise<Error> {
  const uri = store.uri(rawKey);
  if (!found) {
    const what = `S3 says that it has ${uri}, and then that there is no such object.`;
    return new LonghaulError('UPLOAD_LOST', what);
  }
  // versitygw says yes to completing an upload that this writer aborted, where another writer's object is there already.
  const landing = await readLanding(store, rawKey);
  if (landing?.bytes === found.bytes && landing.checksum === found.checksum) {
    return new LandingNameTaken(rawKey);
  }
  const shown = ({ bytes, checksum, etag }: FoundObject): string =>
    `${bytes} bytes (${checksum ?? `ETag ${etag}`})`;
  const what = `S3 took ${uri} with ${shown(expected)}, and now has ${shown(found)}.`;
  return new LonghaulError('LAKE_CORRUPT', what);
}
