import { setTimeout as sleep } from 'node:timers/promises';
import { isRetryable, LonghaulError } from '../model/errors.ts';

/** Wait before the second look. */
const FIRST_WAIT_MS = 1000;
/** Growth of the waits while nothing changes. A step of hours costs few requests: EMR's quotas are the account's. */
const WAIT_GROWTH = 1.25;
const MAX_WAIT_MS = 60_000;
/** Each wait is longer or shorter by up to this share, so that several runs do not ask at once. */
const JITTER = 0.25;

export interface PollOptions {
  signal: AbortSignal;
  /** Longest time for which EMR may give no answer: its work goes on meanwhile. */
  retryForMs: number;
  /** After this time the last answer is returned, even if it is not enough. Default: no limit. */
  forMs?: number;
  /** Only tests set this, to replace the machine's clock. */
  clock?: Clock;
}

export interface Clock {
  /** Unix, ms. */
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

const MACHINE_CLOCK: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => await sleep(ms, undefined, { signal }),
};

/**
 * Looks again and again until `isEnough` accepts the answer. It goes on when EMR does not answer, or when credentials
 * have expired and may be renewed. It gives up only if that lasts for `retryForMs`.
 * @throws what `look` throws; the signal's reason.
 */
export async function pollUntil<Found>(
  { signal, retryForMs, forMs = Infinity, clock = MACHINE_CLOCK }: PollOptions,
  look: () => Promise<Found>,
  isEnough: (found: Found) => boolean,
): Promise<Found> {
  const end = clock.now() + forMs;
  let answeredAtMs = clock.now();
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(MAX_WAIT_MS, waitMs * WAIT_GROWTH)) {
    try {
      const found = await look();
      answeredAtMs = clock.now();
      if (isEnough(found) || answeredAtMs >= end) return found;
    } catch (error) {
      signal.throwIfAborted();
      const isOver = clock.now() - answeredAtMs >= retryForMs;
      if (isOver || !mayPass(error)) throw error;
    }
    const wait = waitMs * (1 - JITTER + Math.random() * 2 * JITTER);
    await clock.sleep(Math.max(0, Math.min(wait, end - clock.now())), signal);
  }
}

function mayPass(error: unknown): boolean {
  if (!(error instanceof LonghaulError)) return false;
  return isRetryable(error.code) || error.code === 'EMR_CREDENTIALS';
}
