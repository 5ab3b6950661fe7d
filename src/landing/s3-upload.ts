import type { SourceSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { isPinned } from '../model/validator.ts';
import {
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
import type { S3Store } from '../storage/s3/s3-store.ts';
import { abortUpload } from '../storage/s3/uploads.ts';
import { checkpointKey, seal, sourceKeyOf, type Checkpoint } from './checkpoint.ts';
import { problemOfParts } from './s3-parts.ts';
import { publishObject, type ExpectedObject } from './s3-publish.ts';
import type { OpenedSource } from './source.ts';
import type { Landed, TallyState } from './tally.ts';

/** What an upload must know of its landing. */
export interface UploadTarget {
  store: S3Store;
  rawKey: string;
  spec: SourceSpec;
  source: Pick<OpenedSource, 'validator' | 'totalBytes'>;
  partSizeBytes: number;
}

/** One multipart upload and the checkpoint that goes with it. */
export class S3Upload {
  readonly #target: UploadTarget;
  readonly #signal: AbortSignal;
  readonly #sent = new Map<number, SentPart>();
  readonly #checkpoints = new NewestOnly(async () => await this.#writeCheckpoint());
  #uploadId: Promise<string> | undefined;
  /** At the newest parts' ends, the oldest first. */
  #ends: TallyState[] = [];
  #completingEtag: string | undefined;

  /**
   * @param signal ends every request.
   * @param resumed an upload to go on with, from its last end.
   */
  constructor(target: UploadTarget, signal: AbortSignal, resumed?: Checkpoint) {
    this.#target = target;
    this.#signal = signal;
    if (!resumed?.upload) return;
    this.#uploadId = Promise.resolve(resumed.upload.id);
    this.#ends = resumed.ends;
    this.#completingEtag = resumed.upload.completingEtag;
  }

  /**
   * Begins the upload with its first part.
   * @param end what is known at the part's end.
   * @returns when S3 has the part, and a checkpoint that holds `end`.
   */
  async send(part: PartToSend, end: TallyState): Promise<void> {
    // Of all parts that may not be done, and of the newest that is.
    const { uploadConcurrency } = this.#target.store.zone.settings;
    this.#ends = [...this.#ends, end].slice(-(uploadConcurrency + 2));
    this.#uploadId ??= this.#create();
    const upload = await this.#upload();
    const [stored] = await Promise.all([
      uploadPart(this.#target.store.zone, upload, part, this.#signal),
      this.#unlessAborted(this.#checkpoints.save()),
    ]);
    this.#sent.set(part.number, stored);
  }

  /**
   * Makes the parts one object. S3's own list of them must be exactly what was sent.
   * @throws LonghaulError as `publishObject` does; UPLOAD_LOST where the parts are gone or others: start from zero.
   */
  async publish(landed: Landed, crc32: number): Promise<void> {
    const expected: ExpectedObject = { ...landed, etag: this.#completingEtag ?? '' };
    const { store, rawKey } = this.#target;
    const publication = { store, rawKey, signal: this.#signal };
    await publishObject(publication, expected, async () => {
      const upload = await this.#upload();
      const parts = await this.#storedParts(upload, landed.bytes);
      expected.etag = multipartEtag(parts);
      this.#completingEtag = expected.etag;
      // From here on the upload may be gone although nobody heard that it became the object.
      await this.#unlessAborted(this.#checkpoints.save());
      const whole = { parts, bytes: landed.bytes, crc32 };
      return await completeUpload(store.zone, upload, whole, {
        ifFree: true,
        signal: this.#signal,
      });
    });
  }

  async #storedParts(upload: UploadRef, bytes: number): Promise<StoredPart[]> {
    const { zone } = this.#target.store;
    const parts = await listParts(zone, upload, this.#signal);
    const problem =
      problemOfParts(bytes, parts, this.#target.partSizeBytes) ?? this.#otherPart(parts);
    if (problem === undefined) return parts;
    await abortUpload(zone, upload.key, upload.uploadId);
    const what = `The upload of ${this.#target.store.uri(upload.key)} was changed: ${problem}.`;
    throw new LonghaulError('UPLOAD_LOST', what);
  }

  /** By checksum where S3 keeps one; two uploads of the same bytes may have different ETags. */
  #otherPart(parts: readonly StoredPart[]): string | undefined {
    const other = parts.find((part) => {
      const sent = this.#sent.get(part.number);
      if (!sent) return false;
      const byChecksum = sent.checksumCrc32 !== undefined && part.checksumCrc32 !== undefined;
      return byChecksum ? sent.checksumCrc32 !== part.checksumCrc32 : sent.etag !== part.etag;
    });
    return other && `part ${other.number} is not the one that was sent`;
  }

  async #upload(): Promise<UploadRef> {
    if (!this.#uploadId) throw new Error('An upload without a part.');
    return { key: this.#target.rawKey, uploadId: await this.#uploadId };
  }

  /** The checkpoint names the upload before it has a part: the next attempt knows whose it is. */
  async #create(): Promise<string> {
    const { store, rawKey } = this.#target;
    const uploadId = await createUpload(store.zone, rawKey, { signal: this.#signal });
    await this.#unlessAborted(this.#put(uploadId));
    return uploadId;
  }

  async #writeCheckpoint(): Promise<void> {
    const { uploadId } = await this.#upload();
    await this.#put(uploadId);
  }

  async #put(id: string): Promise<void> {
    const { store, rawKey, spec, source, partSizeBytes } = this.#target;
    const { validator, totalBytes } = source;
    // Nobody could tell whether the source is still the same.
    if (!isPinned(validator)) return;
    const upload = { id, partSizeBytes, completingEtag: this.#completingEtag };
    const sourceKey = sourceKeyOf(spec);
    const sealed = seal({ sourceKey, validator, totalBytes, ends: this.#ends, upload });
    await store.put(checkpointKey(rawKey), sealed);
  }

  async #unlessAborted(work: Promise<void>): Promise<void> {
    const signal = this.#signal;
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason as Error);
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    });
  }
}

/** Writes one after the other; what is asked for while one is under way is done by one more, of the newest state. */
class NewestOnly {
  readonly #write: () => Promise<void>;
  #running: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | undefined;

  /** @param write takes the state as it is when it is called. */
  constructor(write: () => Promise<void>) {
    this.#write = write;
  }

  /** Resolves when a state not older than now's is written. */
  async save(): Promise<void> {
    this.#waiting ??= this.#next();
    await this.#waiting;
  }

  async #next(): Promise<void> {
    await this.#running.catch(() => undefined);
    this.#waiting = undefined;
    this.#running = this.#write();
    await this.#running;
  }
}
