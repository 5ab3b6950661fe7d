/** Writes one after the other; what is asked for while one is under way is done by one more, of the newest state. */
export class NewestOnly {
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
