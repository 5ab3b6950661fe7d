import { setTimeout as sleep } from 'node:timers/promises';
import { isRetryable, LonghaulError } from '../model/errors.ts';

/** Between two looks at first, */
const FIRST_WAIT_MS = 1000;
/** … and the longer nothing changes the longer, so that a step of hours costs few requests: EMR's quotas are the account's. */
const WAIT_GROWTH = 1.25;
const MAX_WAIT_MS = 60_000;
/** Waits are by this much less or more, so that several runs do not ask at once. */
const JITTER = 0.25;

export interface PollOptions {
  signal: AbortSignal;
  /** How long EMR may give no answer: it does its work meanwhile. */
  retryForMs: number;
  /** What is found then is returned, whatever it is; default: no end. */
  forMs?: number;
  /** For tests: another one than this machine's. */
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
 * Looks again and again until what is found is enough. An EMR that does not answer, or credentials that have expired and
 * may be renewed, end it only when that lasts.
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
