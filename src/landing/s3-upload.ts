import type { SourceSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { isPinned } from '../model/manifest.ts';
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
import { putObject } from '../storage/s3/objects.ts';
import type { BucketStore } from '../storage/store.ts';
import {
  checkpointKey,
  seal,
  sourceKeyOf,
  type Checkpoint,
  type CheckpointEnd,
} from './checkpoint.ts';
import { problemOfParts } from './s3-parts.ts';
import { publishObject, type ExpectedObject } from './s3-publish.ts';
import type { OpenedSource } from './source.ts';
import type { Landed } from './ingest-state.ts';

/** What an upload must know of its landing. */
export interface UploadTarget {
  store: BucketStore;
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
  #upload: Promise<UploadRef> | undefined;
  #saving: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | undefined;
  /** At the newest parts' ends, the oldest first. */
  #ends: CheckpointEnd[] = [];
  #completingEtag: string | undefined;

  /**
   * @param signal ends every request.
   * @param resumed an upload to go on with, from its last end.
   */
  constructor(target: UploadTarget, signal: AbortSignal, resumed?: Checkpoint) {
    this.#target = target;
    this.#signal = signal;
    if (!resumed?.upload) return;
    this.#upload = Promise.resolve({ key: target.rawKey, uploadId: resumed.upload.id });
    this.#ends = resumed.ends;
    this.#completingEtag = resumed.upload.completingEtag;
  }

  /**
   * Begins the upload with its first part.
   * @param end the state at the part's end.
   * @returns when S3 has the part, and a checkpoint that holds `end`. It throws when neither is under way any more: a
   *   checkpoint that arrives later would replace the next attempt's, or stay after the landing.
   */
  async send(part: PartToSend, end: CheckpointEnd): Promise<void> {
    // Of all parts that may not be done, and of the newest that is.
    const { uploadConcurrency } = this.#target.store.s3.settings;
    this.#ends = [...this.#ends, end].slice(-(uploadConcurrency + 2));
    const upload = await (this.#upload ??= this.#create());
    const begun = [
      uploadPart(this.#target.store.s3, upload, part, this.#signal),
      this.#save(upload),
    ] as const;
    await Promise.allSettled(begun);
    const [sent] = await Promise.all(begun);
    this.#sent.set(part.number, sent);
  }

  /**
   * Makes the parts one object. S3's list of them must be exactly the parts that were sent.
   * @throws LonghaulError as `publishObject` does; UPLOAD_LOST where the parts are gone or others: start from zero.
   */
  async publish(landed: Landed, crc32: number): Promise<void> {
    const expected: ExpectedObject = { ...landed, etag: this.#completingEtag ?? '' };
    const { store, rawKey } = this.#target;
    const publication = { store, rawKey, signal: this.#signal };
    await publishObject(publication, expected, async () => {
      const upload = await this.#upload;
      if (!upload) throw new Error('An upload without a part.');
      const parts = await this.#storedParts(upload, landed.bytes);
      expected.etag = multipartEtag(parts);
      this.#completingEtag = expected.etag;
      // From here on the upload may be gone: S3 made it the object, and its answer was lost.
      await this.#save(upload);
      const whole = { parts, bytes: landed.bytes, crc32 };
      return await completeUpload(store.s3, upload, whole, {
        ifFree: true,
        signal: this.#signal,
      });
    });
  }

  async #storedParts(upload: UploadRef, bytes: number): Promise<StoredPart[]> {
    const { s3 } = this.#target.store;
    const parts = await listParts(s3, upload, this.#signal);
    const problem =
      problemOfParts(bytes, parts, this.#target.partSizeBytes) ?? this.#otherPart(parts);
    if (problem === undefined) return parts;
    await abortUpload(s3, upload.key, upload.uploadId);
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

  /** The checkpoint names the upload before it has a part: the next attempt knows whose it is. */
  async #create(): Promise<UploadRef> {
    const { store, rawKey: key } = this.#target;
    const uploadId = await createUpload(store.s3, key, { signal: this.#signal });
    await this.#put({ key, uploadId });
    return { key, uploadId };
  }

  /** Writes checkpoints one after the other: all that ask while one is under way get one more, of the newest state. */
  async #save(upload: UploadRef): Promise<void> {
    const next = async (): Promise<void> => {
      await this.#saving.catch(() => undefined);
      this.#waiting = undefined;
      this.#saving = this.#put(upload);
      await this.#saving;
    };
    await (this.#waiting ??= next());
  }

  async #put({ key, uploadId: id }: UploadRef): Promise<void> {
    const { store, spec, source, partSizeBytes } = this.#target;
    const { validator, totalBytes } = source;
    // Without a validator no attempt can see whether the source is still the same.
    if (!isPinned(validator)) return;
    const upload = { id, partSizeBytes, completingEtag: this.#completingEtag };
    const sourceKey = sourceKeyOf(spec);
    const sealed = seal({ sourceKey, validator, totalBytes, ends: this.#ends, upload });
    const signal = this.#signal;
    await putObject(store.s3, checkpointKey(key), Buffer.from(sealed), { signal });
  }
}
