import { LonghaulError } from '../model/errors.ts';
import { isPinned } from '../model/manifest.ts';
import { md5 } from '../storage/s3/uploads.ts';
import { putObject } from '../storage/s3/objects.ts';
import type { BucketStore } from '../storage/store.ts';
import { crc32OfRest, MAX_PARTS, partSizeBytesOf } from './s3-parts.ts';
import { publishObject } from './s3-publish.ts';
import { S3Upload } from './s3-upload.ts';
import type { LandingSink, LandingTarget, Unfinished } from './sink.ts';
import { BLOCK_BYTES, IngestState, type Landed } from './ingest-state.ts';

/** What an interrupted landing still waits for: half of what a worker has to shut down in. */
const INTERRUPT_GRACE_MS = 5000;

/**
 * A source on its way to S3: each part is filled whole, then sent while the next ones are filled. Only so many
 * parts are begun and not done, which bounds both the memory and what a killed worker reads again. A file of one
 * part is one request.
 */
export class S3Sink implements LandingSink {
  readonly #store: BucketStore;
  readonly #target: LandingTarget;
  readonly #partSizeBytes: number;
  readonly #buffers: PartBuffers;
  readonly #ingestState: IngestState;
  readonly #upload: S3Upload;
  /** Ends requests to S3: later than the landing's own signal. */
  readonly #requests = new AbortController();
  #grace: NodeJS.Timeout | undefined;
  /** Parts given to S3; the next one is being filled. */
  #parts = 0;
  #buffer: Buffer | undefined;
  #filled = 0;
  #crc32AtPart: number;

  /** @param resumed goes on at its last end, up to which S3 has every part. */
  constructor(store: BucketStore, target: LandingTarget, resumed?: Unfinished) {
    const { source, signal, spec } = target;
    this.#store = store;
    this.#target = target;
    this.#partSizeBytes =
      resumed?.upload?.partSizeBytes ??
      partSizeBytesOf(source.totalBytes, source.positionAt !== undefined);
    this.#buffers = new PartBuffers(this.#partSizeBytes, store.s3.settings.uploadConcurrency);
    this.#ingestState = new IngestState(source.reading ?? spec.overrides, resumed?.ends.at(-1));
    this.#upload = new S3Upload(
      { ...target, store, partSizeBytes: this.#partSizeBytes },
      this.#requests.signal,
      resumed,
    );
    this.#parts = Math.ceil(this.#ingestState.bytes / this.#partSizeBytes);
    this.#crc32AtPart = this.#ingestState.crc32;
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  get bytes(): number {
    return this.#ingestState.bytes + (this.#filled % BLOCK_BYTES);
  }

  get records(): number {
    return this.#ingestState.records;
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.#buffers.throwIfStopped();
    for (let at = 0; at < chunk.length;) {
      // Only now is it known that more follows: the last part is for `finish`.
      if (this.#filled === this.#partSizeBytes) this.#sendPart();
      const buffer = (this.#buffer ??= await this.#buffers.buffer(this.#parts));
      const piece = chunk.subarray(at, at + BLOCK_BYTES - (this.#filled % BLOCK_BYTES));
      buffer.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled % BLOCK_BYTES === 0) {
        this.#ingestState.push(buffer.subarray(this.#filled - BLOCK_BYTES, this.#filled), false);
      }
    }
  }

  /** All parts but a file's only one are with S3 then. */
  async finish(): Promise<Landed> {
    const restBytes = this.#filled % BLOCK_BYTES;
    this.#ingestState.push(this.#body().subarray(this.#filled - restBytes), true);
    if (this.#parts > 0) {
      if (this.#filled > 0) this.#sendPart();
      await this.#buffers.drained();
    }
    return this.#ingestState.finish();
  }

  async publish(landed: Landed): Promise<void> {
    const { crc32 } = this.#ingestState;
    if (this.#parts > 0) {
      await this.#upload.publish(landed, crc32);
      return;
    }
    const { signal } = this.#requests;
    const body = this.#body();
    const { rawKey } = this.#target;
    const publication = { store: this.#store, rawKey, signal };
    await publishObject(
      publication,
      { ...landed, etag: md5(body) },
      async () => await putObject(this.#store.s3, rawKey, body, { crc32, ifFree: true, signal }),
    );
  }

  async interrupt(): Promise<void> {
    this.#startGrace();
    const isFull = this.#filled === this.#partSizeBytes;
    try {
      if (isFull && isPinned(this.#target.source.validator)) this.#sendPart();
    } catch {
      // The error that interrupted is the one to report.
    }
    await this.#buffers.settled();
  }

  async close(): Promise<void> {
    clearTimeout(this.#grace);
    this.#target.signal.removeEventListener('abort', this.#onAbort);
    this.#requests.abort();
    await this.#buffers.settled();
  }

  readonly #onAbort = (): void => {
    this.#buffers.stop(this.#target.signal.reason);
    this.#startGrace();
  };

  #startGrace(): void {
    this.#grace ??= setTimeout(() => {
      this.#requests.abort(this.#target.signal.reason);
    }, INTERRUPT_GRACE_MS);
  }

  /** The part in the buffer, a full one or the last, goes on its way; the next may be filled. */
  #sendPart(): void {
    const number = this.#parts + 1;
    const state = this.#ingestState.state();
    if (!state) throw new Error('A part without a byte.');
    const end = { ...state, position: this.#target.source.positionAt?.(state.bytes) };
    if (number > MAX_PARTS) throw this.#tooLong();
    const body = this.#body();
    const crc32 = crc32OfRest(this.#crc32AtPart, end.crc32, body.length);
    const part = { number, body, crc32 };
    this.#buffers.hold(this.#parts, async () => await this.#upload.send(part, end));
    this.#parts = number;
    this.#crc32AtPart = end.crc32;
    this.#buffer = undefined;
    this.#filled = 0;
  }

  #body(): Buffer {
    return this.#buffer?.subarray(0, this.#filled) ?? Buffer.alloc(0);
  }

  #tooLong(): LonghaulError {
    const what = `${this.#target.rawKey} is longer than ${MAX_PARTS} parts of ${this.#partSizeBytes} bytes, and its publisher does not say how long.`;
    return new LonghaulError('STORE_REFUSED', what);
  }
}

/**
 * A few buffers that parts are filled into and sent from, in order and again and again: memory stays the same
 * whatever the file's size. A part gets its buffer when the part that had it before is done.
 */
class PartBuffers {
  readonly #partSizeBytes: number;
  /** Made when first needed: small files never touch most of them. */
  readonly #buffers: (Buffer | undefined)[];
  readonly #sending: Promise<void>[];
  readonly #stop = new AbortController();
  readonly #stopped: Promise<never>;

  /** @param concurrency parts being sent at once; one more is being filled. */
  constructor(partSizeBytes: number, concurrency: number) {
    const slots = concurrency + 1;
    this.#partSizeBytes = partSizeBytes;
    this.#buffers = Array.from({ length: slots });
    this.#sending = Array.from({ length: slots }, async () => await Promise.resolve());
    const { signal } = this.#stop;
    this.#stopped = new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
    this.#stopped.catch(() => undefined);
  }

  /** Resolves when the part's buffer is free. @throws what stopped the upload. */
  async buffer(part: number): Promise<Buffer> {
    const slot = part % this.#buffers.length;
    await Promise.race([this.#sending[slot], this.#stopped]);
    // Not from a pool that other buffers share.
    return (this.#buffers[slot] ??= Buffer.allocUnsafeSlow(this.#partSizeBytes));
  }

  /**
   * Sends a filled part, as soon as all but the newest few are done: one buffer is for filling. The part's buffer is
   * in use until `send` has resolved; its failure stops the upload.
   */
  hold(part: number, send: () => Promise<void>): void {
    const slots = this.#sending.length;
    const oldest = this.#sending[(part + 1) % slots] ?? Promise.resolve();
    const sent = oldest.then(send);
    this.#sending[part % slots] = sent;
    sent.catch((error: unknown) => this.stop(error));
  }

  /** Ends all waiting and begins no new part; parts that are being sent are not touched. */
  stop(reason: unknown): void {
    this.#stop.abort(reason);
  }

  throwIfStopped(): void {
    this.#stop.signal.throwIfAborted();
  }

  /** Resolves when every part is done. @throws what stopped the upload. */
  async drained(): Promise<void> {
    await Promise.race([Promise.all(this.#sending), this.#stopped]);
  }

  /** Resolves when no part is being sent, failed or not. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#sending);
  }
}
