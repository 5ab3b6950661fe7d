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
  type StoredPart,
  type UploadRef,
} from '../storage/s3/upload-parts.ts';
import type { S3Store } from '../storage/s3/s3-store.ts';
import { abortUpload } from '../storage/s3/uploads.ts';
import { checkpointKey, sourceKeyOf } from './checkpoint.ts';
import { NewestOnly } from './newest-only.ts';
import { problemOfParts } from './part-plan.ts';
import { encodeCheckpoint, type S3Checkpoint } from './s3-checkpoint.ts';
import { publishObject, type ExpectedObject } from './s3-publish.ts';
import type { OpenedSource } from './source.ts';
import type { Landed, TallyState } from './tally.ts';

/** What an upload must know of its landing. */
export interface UploadTarget {
  store: S3Store;
  rawKey: string;
  spec: SourceSpec;
  source: Pick<OpenedSource, 'validator' | 'totalBytes'>;
}

/** One multipart upload and the checkpoint that goes with it. */
export class S3Upload {
  readonly #target: UploadTarget;
  readonly #partSizeBytes: number;
  readonly #signal: AbortSignal;
  readonly #sent = new Map<number, StoredPart>();
  readonly #checkpoints = new NewestOnly(async () => await this.#writeCheckpoint());
  #uploadId: Promise<string> | undefined;
  /** At the newest parts' ends, the oldest first. */
  #boundaries: TallyState[] = [];
  #completingEtag: string | undefined;

  /**
   * @param signal ends every request.
   * @param resumed an upload to go on with, from its last boundary.
   */
  constructor(
    target: UploadTarget,
    partSizeBytes: number,
    signal: AbortSignal,
    resumed?: S3Checkpoint,
  ) {
    this.#target = target;
    this.#partSizeBytes = partSizeBytes;
    this.#signal = signal;
    if (!resumed) return;
    this.#uploadId = Promise.resolve(resumed.uploadId);
    this.#boundaries = resumed.boundaries;
    this.#completingEtag = resumed.completingEtag;
  }

  /**
   * Begins the upload with its first part.
   * @param end what is known at the part's end.
   * @returns when S3 has the part, and a checkpoint that holds `end`.
   */
  async send(part: PartToSend, end: TallyState): Promise<void> {
    // Of all parts that may not be done, and of the newest that is.
    const { uploadConcurrency } = this.#target.store.zone.settings;
    this.#boundaries = [...this.#boundaries, end].slice(-(uploadConcurrency + 2));
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
    const problem = problemOfParts(bytes, parts, this.#partSizeBytes) ?? this.#otherPart(parts);
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

  async #put(uploadId: string): Promise<void> {
    const { store, rawKey, spec, source } = this.#target;
    const { validator, totalBytes } = source;
    // Nobody could tell whether the source is still the same.
    if (!isPinned(validator)) return;
    const text = encodeCheckpoint({
      sourceKey: sourceKeyOf(spec),
      validator,
      totalBytes,
      uploadId,
      partSizeBytes: this.#partSizeBytes,
      boundaries: this.#boundaries,
      completingEtag: this.#completingEtag,
    });
    await store.put(checkpointKey(rawKey), text);
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
