import { isInUse, membershipOf } from './membership.ts';
import type { HostRecordWriter } from './host-record.ts';

/** Members are looked at this often; a leaving member asks for a look at once. */
const LOOK_INTERVAL_MS = 1000;
/** One look without a member may fall between a member that was killed and the next that comes. */
const EMPTY_LOOKS_TO_STOP = 3;
/** A member that leaves sends it. Never sent by a terminal here: the host has a session of its own. */
export const LOOK_SIGNAL = 'SIGHUP';

/**
 * Decides when a host stops: when nobody uses it any more, or on SIGTERM and SIGINT at once.
 *
 * Who comes writes its member file, then reads the host's status; here `stopping` is written first, and the
 * members are read again after it. So whoever saw `ready` is seen here, and the stop is called off.
 */
export class Presence {
  readonly #stateDir: string;
  readonly #record: HostRecordWriter;
  readonly #stop = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #emptyLooks = 0;
  #looks: Promise<void> = Promise.resolve();

  constructor(stateDir: string, record: HostRecordWriter) {
    this.#stateDir = stateDir;
    this.#record = record;
    this.#timer = setInterval(() => this.#look(EMPTY_LOOKS_TO_STOP), LOOK_INTERVAL_MS);
    process.on(LOOK_SIGNAL, this.#onLookSignal);
    process.on('SIGTERM', this.#onStopSignal);
    process.on('SIGINT', this.#onStopSignal);
  }

  /** Aborted when the host is to stop; its reason says why. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  stop(reason: string): void {
    this.#stop.abort(reason);
  }

  close(): void {
    clearInterval(this.#timer);
    process.off(LOOK_SIGNAL, this.#onLookSignal);
    process.off('SIGTERM', this.#onStopSignal);
    process.off('SIGINT', this.#onStopSignal);
  }

  readonly #onLookSignal = (): void => this.#look(1);
  readonly #onStopSignal = (signal: NodeJS.Signals): void => this.stop(`received ${signal}`);

  /** One look after the other; an error counts as somebody being there. */
  #look(emptyLooksToStop: number): void {
    this.#looks = this.#looks
      .then(async () => await this.#lookNow(emptyLooksToStop))
      .catch(() => undefined);
  }

  async #lookNow(emptyLooksToStop: number): Promise<void> {
    if (this.signal.aborted) return;
    if (await this.#isInUse()) {
      this.#emptyLooks = 0;
      return;
    }
    this.#emptyLooks += 1;
    if (this.#emptyLooks < emptyLooksToStop) return;
    await this.#record.write({ stopping: true });
    const calledOff = await this.#isInUse();
    if (this.signal.aborted) return;
    if (calledOff) await this.#record.write({ stopping: false });
    else this.stop('nobody uses it any more');
  }

  async #isInUse(): Promise<boolean> {
    return isInUse(await membershipOf(this.#stateDir));
  }
}
