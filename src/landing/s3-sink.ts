import { formatChecksum } from '../model/texts.ts';
import { LonghaulError } from '../model/errors.ts';
import { isPinned } from '../model/manifest.ts';
import { findObject, putObject } from '../storage/s3/objects.ts';
import {
  abortUpload,
  abortUploads,
  listParts,
  listUploads,
  md5,
  type UploadRef,
} from '../storage/s3/uploads.ts';
import type { BucketStore } from '../storage/store.ts';
import { checkpointKey, unseal, type OpenUpload, type Unfinished } from './checkpoint.ts';
import { BLOCK_BYTES, IngestState, type IngestStateFields, type Landed } from './ingest-state.ts';
import { areCovered, MAX_PARTS, partSizeBytesOf } from './s3-parts.ts';
import { isExpected, publishObject, S3Upload } from './s3-upload.ts';
import type { LandingSink, LandingSinks, LandingTarget } from './sink.ts';

/** Landings in S3: the worker makes a multipart upload to the landing's own key, and writes a checkpoint beside it. */
export function s3Sinks(store: BucketStore): LandingSinks {
  const { s3 } = store;
  return {
    find: async (rawKey, sourceKey) => {
      // The list comes before the checkpoint. So an upload that another worker begins and names later is not aborted.
      const uploads: UploadRef[] = [];
      for await (const upload of listUploads(s3, rawKey)) uploads.push(upload);
      const checkpoint = unseal(await store.get(checkpointKey(rawKey)));
      const upload = checkpoint?.upload;
      // The other uploads belong to attempts that ended before they wrote a checkpoint.
      for (const each of uploads) {
        // The list also has keys of other files that begin with this key.
        if (each.key === rawKey && each.uploadId !== upload?.id) await abortUpload(s3, each);
      }
      if (checkpoint?.sourceKey !== sourceKey || !upload) return undefined;
      const { end } = checkpoint;
      return end && (await hasAll(store, rawKey, end, upload)) ? { ...checkpoint, end } : undefined;
    },
    open: async (target, resumed) => await Promise.resolve(new S3Sink(store, target, resumed)),
    discard: async (rawKey) => {
      await abortUploads(s3, rawKey, (key) => key === rawKey);
      await store.delete(checkpointKey(rawKey));
    },
  };
}

/**
 * Whether S3 has all bytes before the end: as parts, or as the object, if the upload became the object and the worker was
 * killed before it wrote the manifest.
 */
async function hasAll(
  { s3 }: BucketStore,
  rawKey: string,
  { bytes, crc32 }: IngestStateFields,
  { id, partSizeBytes, completingEtag: etag }: OpenUpload,
): Promise<boolean> {
  try {
    const parts = await listParts(s3, { key: rawKey, uploadId: id });
    return areCovered(bytes, parts, partSizeBytes);
  } catch (error) {
    if (!(error instanceof LonghaulError) || error.code !== 'UPLOAD_LOST') throw error;
    if (etag === undefined) return false;
    const found = await findObject(s3, rawKey);
    return (
      found !== undefined && isExpected(found, { bytes, checksum: formatChecksum(crc32), etag })
    );
  }
}

/** An interrupted landing waits at most this long for S3. The shutdown of a worker allows more time. */
const INTERRUPT_GRACE_MS = 5000;

/**
 * Writes a source to S3. The sink fills a part, and sends it while it fills the next ones. The number of unfinished
 * parts is limited, which bounds the memory and the bytes that an attempt reads again after a kill. A file of one part
 * is one request.
 */
class S3Sink implements LandingSink {
  readonly #store: BucketStore;
  readonly #target: LandingTarget;
  readonly #partSizeBytes: number;
  readonly #ingestState: IngestState;
  readonly #upload: S3Upload;
  /** The number of parts that are sent at the same time. One more part is being filled. */
  readonly #concurrency: number;
  /** The parts use these buffers in turn. They are made when first needed, because small files need only one. */
  readonly #buffers: Buffer[] = [];
  /** Aborted by the landing's signal or by a part that failed. Then the sink begins no part and stops waiting. */
  readonly #stop = new AbortController();
  readonly #stopped: Promise<never>;
  /** Ends the requests to S3. It is aborted later than the landing's own signal. */
  readonly #requests = new AbortController();
  #grace: NodeJS.Timeout | undefined;
  /** The sending of each part of this attempt. */
  readonly #sending: Promise<void>[] = [];
  /** The number of parts given to S3, including those of earlier attempts. The next part is being filled. */
  #parts: number;
  #filled = 0;

  /** @param resumed an earlier attempt. The sink continues at its end; S3 has all parts before that end. */
  constructor(store: BucketStore, target: LandingTarget, resumed?: Unfinished) {
    const { source, signal, spec } = target;
    this.#store = store;
    this.#target = target;
    this.#partSizeBytes =
      resumed?.upload?.partSizeBytes ??
      partSizeBytesOf(source.totalBytes, source.positionAt !== undefined);
    this.#concurrency = store.s3.settings.uploadConcurrency;
    this.#ingestState = new IngestState(source.reading ?? spec.overrides, resumed?.end);
    this.#upload = new S3Upload(
      { ...target, store, partSizeBytes: this.#partSizeBytes },
      this.#requests.signal,
      resumed,
    );
    this.#parts = Math.ceil(this.#ingestState.bytes / this.#partSizeBytes);
    const stop = this.#stop.signal;
    this.#stopped = new Promise((_, reject) => {
      stop.addEventListener('abort', () => reject(stop.reason as Error));
    });
    this.#stopped.catch(() => undefined);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  get bytes(): number {
    return this.#ingestState.bytes + (this.#filled % BLOCK_BYTES);
  }

  get records(): number {
    return this.#ingestState.records;
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.#stop.signal.throwIfAborted();
    for (let at = 0; at < chunk.length;) {
      // The full part is sent only when more bytes follow, because `finish` sends the last part.
      if (this.#filled === this.#partSizeBytes) await this.#sendInTurn();
      const piece = chunk.subarray(at, at + BLOCK_BYTES - (this.#filled % BLOCK_BYTES));
      const buffer = this.#buffer();
      buffer.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled % BLOCK_BYTES === 0) {
        this.#ingestState.push(buffer.subarray(this.#filled - BLOCK_BYTES, this.#filled), false);
      }
    }
  }

  /** Resolves when S3 has all parts. If the file has only one part, `publish` sends it. */
  async finish(): Promise<Landed> {
    const restBytes = this.#filled % BLOCK_BYTES;
    this.#ingestState.push(this.#body().subarray(this.#filled - restBytes), true);
    if (this.#parts > 0) {
      if (this.#filled > 0) await this.#sendInTurn();
      await Promise.race([this.#stopped, Promise.all(this.#sending)]);
    }
    return this.#ingestState.finish();
  }

  async publish(landed: Landed): Promise<void> {
    if (this.#parts > 0) {
      await this.#upload.publish(landed);
      return;
    }
    const { signal } = this.#requests;
    const body = this.#body();
    const { rawKey } = this.#target;
    await publishObject(
      { store: this.#store, rawKey },
      { ...landed, etag: md5(body) },
      signal,
      async () => await putObject(this.#store.s3, rawKey, body, { ifFree: true, signal }),
    );
  }

  async interrupt(): Promise<void> {
    this.#startGrace();
    const isFull = this.#filled === this.#partSizeBytes;
    try {
      if (isFull && isPinned(this.#target.source.validator)) {
        await this.#oldest();
        this.#send();
      }
    } catch {
      // The caller reports the error that interrupted.
    }
    await Promise.allSettled(this.#sending);
  }

  async close(): Promise<void> {
    clearTimeout(this.#grace);
    this.#target.signal.removeEventListener('abort', this.#onAbort);
    this.#requests.abort();
    await Promise.allSettled(this.#sending);
  }

  readonly #onAbort = (): void => {
    this.#stop.abort(this.#target.signal.reason);
    this.#startGrace();
  };

  #startGrace(): void {
    this.#grace ??= setTimeout(() => {
      this.#requests.abort(this.#target.signal.reason);
    }, INTERRUPT_GRACE_MS);
  }

  async #sendInTurn(): Promise<void> {
    await Promise.race([this.#stopped, this.#oldest()]);
    this.#send();
  }

  /** Waits for the oldest part, so that no more than `concurrency` are unfinished. */
  async #oldest(): Promise<void> {
    await this.#sending.at(-this.#concurrency);
  }

  /** Starts to send the part in the buffer, which is full or the last. The caller may then fill the next part. */
  #send(): void {
    const number = this.#parts + 1;
    const state = this.#ingestState.state();
    const end = { ...state, position: this.#target.source.positionAt?.(state.bytes) };
    if (number > MAX_PARTS) {
      const what = `${this.#target.rawKey} is longer than ${MAX_PARTS} parts of ${this.#partSizeBytes} bytes, and its publisher does not say how long.`;
      throw new LonghaulError('STORE_REFUSED', what);
    }
    const body = this.#body();
    const sent = this.#upload.send({ number, body }, end);
    sent.catch((error: unknown) => this.#stop.abort(error));
    this.#sending.push(sent);
    this.#parts = number;
    this.#filled = 0;
  }

  /** Returns the buffer of the part that is being filled. The part that used the buffer before is done. */
  #buffer(): Buffer {
    // `allocUnsafeSlow` does not take the memory from the pool that other buffers share.
    return (this.#buffers[this.#parts % (this.#concurrency + 1)] ??= Buffer.allocUnsafeSlow(
      this.#partSizeBytes,
    ));
  }

  #body(): Buffer {
    return this.#filled === 0 ? Buffer.alloc(0) : this.#buffer().subarray(0, this.#filled);
  }
}
