import { LonghaulError } from '../model/errors.ts';
import type { OpenRequest } from './source.ts';

/**
 * Watches how fast a body comes. Only the time that is spent waiting for the publisher counts: a lake that takes the
 * pieces slowly finds the next one there already.
 */
export class RateGuard {
  readonly #minRate: OpenRequest['settings']['minRate'];
  #bytes = 0;
  #waitedMs = 0;

  constructor(minRate: OpenRequest['settings']['minRate']) {
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

/** @param slow what `RateGuard` says. */
export function tooSlow(shown: string, slow: string, received: number): LonghaulError {
  const what = `${shown} sends too slowly: ${slow}, after ${received} bytes of its body.`;
  return new LonghaulError('SOURCE_TOO_SLOW', what);
}
