import { LonghaulError } from '../model/errors.ts';
import { failureOf } from './http-answers.ts';
import type { Response } from './http-request.ts';
import type { OpenRequest } from './source.ts';

/**
 * The body, which ends well only after exactly the bytes that the headers announced.
 * @throws LonghaulError SOURCE_TOO_SLOW, SOURCE_TRUNCATED, or what `failureOf` makes of the network's; the signal's reason.
 */
export async function* bodyOf(
  response: Response,
  { signal, settings, shown }: Pick<OpenRequest, 'signal' | 'settings'> & { shown: string },
  expected: number | undefined,
): AsyncGenerator<Buffer> {
  const rate = new RateGuard(settings.minRate);
  let received = 0;
  let askedAt = performance.now();
  try {
    for await (const chunk of response.body) {
      received += (chunk as Buffer).length;
      const slow = rate.tooSlow((chunk as Buffer).length, performance.now() - askedAt);
      if (slow !== undefined && received !== expected) {
        const what = `${shown} sends too slowly: ${slow}, after ${received} bytes of its body.`;
        throw new LonghaulError('SOURCE_TOO_SLOW', what);
      }
      yield chunk as Buffer;
      askedAt = performance.now();
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw failureOf(error, shown, { received, expected, stallTimeoutMs: settings.stallTimeoutMs });
  }
  if (expected !== undefined && received !== expected) {
    throw new LonghaulError(
      'SOURCE_TRUNCATED',
      `${shown} announced ${expected} bytes and sent ${received}.`,
    );
  }
}

/**
 * Watches how fast a body comes. Only the time that is spent waiting for the publisher counts: a lake that takes the
 * pieces slowly finds the next one there already.
 */
class RateGuard {
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
