import { setTimeout as delay } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import { readLanding } from '../storage/manifests.ts';
import { isTaken } from '../storage/s3/errors.ts';
import { findObject, putObject, type FoundObject } from '../storage/s3/objects.ts';
import {
  abortUpload,
  completeUpload,
  createUpload,
  listParts,
  multipartEtag,
  uploadPart,
  type PartToSend,
  type SentPart,
  type StoredPart,
  type UploadRef,
} from '../storage/s3/uploads.ts';
import type { BucketStore } from '../storage/store.ts';
import {
  checkpointKey,
  sealedFor,
  type Checkpoint,
  type CheckpointEnd,
  type CheckpointSource,
} from './checkpoint.ts';
import type { Landed } from './ingest-state.ts';
import { areExactly } from './s3-parts.ts';
import { LandingNameTaken } from './sink.ts';

/** The landing that an upload belongs to. */
export interface UploadTarget extends CheckpointSource {
  store: BucketStore;
  rawKey: string;
  partSizeBytes: number;
}

/** One multipart upload and the checkpoint that goes with it. */
export class S3Upload {
  readonly #target: UploadTarget;
  readonly #signal: AbortSignal;
  readonly #sent = new Map<number, SentPart>();
  #upload: Promise<UploadRef> | undefined;
  /** The sending of the last part so far. It resolves after that of all parts before it. */
  #sending: Promise<void> = Promise.resolve();
  /** The state at the end of the parts that S3 has without a gap. */
  #end: CheckpointEnd | undefined;
  #completingEtag: string | undefined;

  /**
   * @param signal ends all requests.
   * @param resumed an upload that continues at its end.
   */
  constructor(target: UploadTarget, signal: AbortSignal, resumed?: Checkpoint) {
    this.#target = target;
    this.#signal = signal;
    if (!resumed?.upload) return;
    this.#upload = Promise.resolve({ key: target.rawKey, uploadId: resumed.upload.id });
    this.#end = resumed.end;
    this.#completingEtag = resumed.upload.completingEtag;
  }

  /**
   * Sends a part. The first part also begins the upload.
   * @param end the state at the part's end.
   * @returns when S3 has the part, all parts before it, and a checkpoint that holds `end`. It throws only when neither
   *   request is under way any more: a checkpoint that arrives later would replace the next attempt's checkpoint, or stay
   *   after the landing.
   */
  async send(part: PartToSend, end: CheckpointEnd): Promise<void> {
    this.#sending = this.#sendAfter(this.#sending, part, end);
    await this.#sending;
  }

  async #sendAfter(before: Promise<void>, part: PartToSend, end: CheckpointEnd): Promise<void> {
    const upload = await (this.#upload ??= this.#create());
    this.#sent.set(
      part.number,
      await uploadPart(this.#target.store.s3, upload, part, this.#signal),
    );
    await before;
    this.#end = end;
    await this.#save(upload);
  }

  /**
   * Completes the upload to one object. S3's list of parts must be exactly the parts that were sent.
   * @throws LonghaulError as `publishObject` does; UPLOAD_LOST if parts are missing or differ, so the landing restarts.
   */
  async publish({ bytes, checksum }: Landed): Promise<void> {
    const expected = { bytes, checksum, etag: this.#completingEtag ?? '' };
    await publishObject(this.#target, expected, this.#signal, async () => {
      const upload = await this.#upload;
      if (!upload) throw new Error('An upload without a part.');
      const parts = await this.#storedParts(upload, bytes);
      expected.etag = multipartEtag(parts);
      this.#completingEtag = expected.etag;
      // The checkpoint must hold the ETag before the completion, because S3 may complete the upload while its answer is
      // lost.
      await this.#save(upload);
      return await completeUpload(
        this.#target.store.s3,
        upload,
        { parts, bytes, crc32: this.#end?.crc32 },
        { ifFree: true, signal: this.#signal },
      );
    });
  }

  async #storedParts(upload: UploadRef, bytes: number): Promise<StoredPart[]> {
    const { store, partSizeBytes } = this.#target;
    const parts = await listParts(store.s3, upload, this.#signal);
    const other = parts.find((part) => this.#isOther(part));
    if (areExactly(bytes, parts, partSizeBytes) && !other) return parts;
    await abortUpload(store.s3, upload);
    const why = other
      ? `part ${other.number} is not the one that was sent`
      : `its ${parts.length} parts are not the bytes 0 to ${bytes}`;
    const what = `The upload of ${store.uri(upload.key)} was changed: ${why}.`;
    throw new LonghaulError('UPLOAD_LOST', what);
  }

  /** Compares the checksums if S3 keeps one, because two uploads of the same bytes may have different ETags. */
  #isOther({ number, checksumCrc32, etag }: StoredPart): boolean {
    const sent = this.#sent.get(number);
    if (!sent) return false;
    const byChecksum = sent.checksumCrc32 !== undefined && checksumCrc32 !== undefined;
    return byChecksum ? sent.checksumCrc32 !== checksumCrc32 : sent.etag !== etag;
  }

  /** The checkpoint names the upload before its first part, so that the next attempt knows the upload's owner. */
  async #create(): Promise<UploadRef> {
    const { store, rawKey } = this.#target;
    const upload = await createUpload(store.s3, rawKey, { signal: this.#signal });
    await this.#save(upload);
    return upload;
  }

  async #save({ key, uploadId: id }: UploadRef): Promise<void> {
    const { store, partSizeBytes } = this.#target;
    const upload = { id, partSizeBytes, completingEtag: this.#completingEtag };
    const sealed = sealedFor(this.#target, this.#end, upload);
    if (sealed === undefined) return;
    const signal = this.#signal;
    await putObject(store.s3, checkpointKey(key), Buffer.from(sealed), { signal });
  }
}

/** The number of tries while another writer's request conflicts. */
const MAX_TRIES = 4;
/** The wait between two tries if S3 says that another request is under way. */
const CONFLICT_WAIT_MS = 500;

/**
 * Gives an object its name, and then checks the object that S3 has, also after an error. An answer may be lost, and
 * another worker may have put the same bytes first.
 * @param expected its `etag` is computed from the parts' ETags, for stores that keep no checksum.
 * @param put writes the object if the name is free, and returns the ETag; throws the SDK's error for 409 and 412.
 * @throws LandingNameTaken if other bytes have the name; LonghaulError LAKE_CORRUPT if S3 changed the bytes; STORE_…,
 *   UPLOAD_LOST as `put` does.
 */
export async function publishObject(
  { store, rawKey }: Pick<UploadTarget, 'store' | 'rawKey'>,
  expected: FoundObject,
  signal: AbortSignal,
  put: () => Promise<string>,
): Promise<void> {
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
      // If both requests failed, the first failure is the cause.
      throw failure === undefined || isTaken(failure) ? error : failure;
    });
    if (found && isExpected(found, expected, etag)) return;
    if (etag !== undefined) throw await whatIsWrong(store, rawKey, expected, found);
    if (!isTaken(failure)) throw failure;
    if (found) throw new LandingNameTaken(rawKey);
    if (tries === MAX_TRIES) {
      const what = `Other writers kept S3 from giving ${store.uri(rawKey)} its name ${MAX_TRIES} times.`;
      throw new LonghaulError('STORE_UNAVAILABLE', what, {}, { cause: failure });
    }
    await delay(CONFLICT_WAIT_MS);
  }
}

/**
 * Compares the checksum if S3 keeps one, else the ETag.
 * @param answered the ETag in S3's answer. With KMS encryption, an ETag cannot be computed.
 */
export function isExpected(
  found: FoundObject,
  { bytes, checksum, etag }: FoundObject,
  answered?: string,
): boolean {
  if (found.bytes !== bytes) return false;
  if (found.checksum !== undefined) return found.checksum === checksum;
  return found.etag === etag || found.etag === answered;
}

/** Returns the error for the case that S3 accepted the object and now has another one. */
async function whatIsWrong(
  store: BucketStore,
  rawKey: string,
  expected: FoundObject,
  found: FoundObject | undefined,
): Promise<Error> {
  const uri = store.uri(rawKey);
  if (!found) {
    const what = `S3 says that it has ${uri}, and then that there is no such object.`;
    return new LonghaulError('UPLOAD_LOST', what);
  }
  // If another writer's object is there, versitygw accepts the completion of an upload that this writer aborted.
  const landing = await readLanding(store, rawKey);
  if (landing?.bytes === found.bytes && landing.checksum === found.checksum) {
    return new LandingNameTaken(rawKey);
  }
  const shown = ({ bytes, checksum, etag }: FoundObject): string =>
    `${bytes} bytes (${checksum ?? `ETag ${etag}`})`;
  const what = `S3 took ${uri} with ${shown(expected)}, and now has ${shown(found)}.`;
  return new LonghaulError('LAKE_CORRUPT', what);
}
