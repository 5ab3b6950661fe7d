/**
 * A few buffers that parts are filled into and sent from, in order and again and again: memory stays the same
 * whatever the file's size. A part gets its buffer when the part that had it before is done.
 */
export class PartRing {
  readonly #partSizeBytes: number;
  /** Made when first needed: small files never touch most of them. */
  readonly #buffers: (Buffer | undefined)[];
  readonly #sending: Promise<void>[];
  readonly #stopped: Promise<never>;
  readonly #stop: (reason: unknown) => void;
  #failure: { reason: unknown } | undefined;

  /** @param concurrency parts being sent at once; one more is being filled. */
  constructor(partSizeBytes: number, concurrency: number) {
    const slots = concurrency + 1;
    this.#partSizeBytes = partSizeBytes;
    this.#buffers = Array.from({ length: slots });
    this.#sending = Array.from({ length: slots }, async () => await Promise.resolve());
    const { promise, reject } = withRejection();
    this.#stopped = promise;
    this.#stop = reject;
    this.#stopped.catch(() => undefined);
  }

  /** Resolves when the part's buffer is free. @throws what stopped the ring. */
  async buffer(part: number): Promise<Buffer> {
    const slot = part % this.#buffers.length;
    await Promise.race([this.#sending[slot], this.#stopped]);
    // Not from a pool that other buffers share.
    return (this.#buffers[slot] ??= Buffer.allocUnsafeSlow(this.#partSizeBytes));
  }

  /**
   * Sends a filled part, as soon as all but the newest few are done: one buffer is for filling. The part's buffer is
   * in use until `send` has resolved; its failure stops the ring.
   */
  hold(part: number, send: () => Promise<void>): void {
    const slots = this.#sending.length;
    const oldest = this.#sending[(part + 1) % slots] ?? Promise.resolve();
    const sent = oldest.then(send);
    this.#sending[part % slots] = sent;
    sent.catch((error: unknown) => this.stop(error));
  }

  /** Nobody waits any more, and nothing new is begun; what is being sent is not touched. */
  stop(reason: unknown): void {
    this.#failure ??= { reason };
    this.#stop(this.#failure.reason);
  }

  throwIfStopped(): void {
    if (this.#failure) throw this.#failure.reason;
  }

  /** Resolves when every part is done. @throws what stopped the ring. */
  async drained(): Promise<void> {
    await Promise.race([Promise.all(this.#sending), this.#stopped]);
  }

  /** Resolves when no part is being sent, failed or not. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#sending);
  }
}

function withRejection(): { promise: Promise<never>; reject: (reason: unknown) => void } {
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<never>((_, refuse) => {
    reject = refuse;
  });
  return { promise, reject };
}
