import type { HttpSettings } from '../config/settings.ts';

/**
 * Watches how fast a body comes. Only the time that is spent waiting for the publisher counts: a lake that takes the
 * pieces slowly finds the next one there already.
 */
export class Pace {
  readonly #minRate: HttpSettings['minRate'];
  #bytes = 0;
  #waitedMs = 0;

  constructor(minRate: HttpSettings['minRate']) {
    this.#minRate = minRate;
  }

  /** @returns in words, what was too slow; undefined while it is fast enough, or not yet known. */
  tooSlow(bytes: number, waitedMs: number): string | undefined {
    if (!this.#minRate) return undefined;
    this.#bytes += bytes;
    this.#waitedMs += waitedMs;
    const { bytesPerSecond, overMs } = this.#minRate;
    if (this.#waitedMs < overMs) return undefined;
    const seconds = this.#waitedMs / 1000;
    if (this.#bytes < bytesPerSecond * seconds) {
      return `${this.#bytes} bytes in ${seconds.toFixed(1)} s, where ${bytesPerSecond} a second are the least`;
    }
    this.#bytes = 0;
    this.#waitedMs = 0;
    return undefined;
  }
}
