import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';

/** Runs a worker until `signal`; resolves when it has shut down, rejects when it fails. */
export type RunWorker = (context: WorkerContext) => Promise<void>;

export interface WorkerContext {
  address: string;
  namespace: string;
  /** Aborted when the worker is to shut down. */
  signal: AbortSignal;
  /** To be called when the worker polls: commands wait for it. */
  ready: () => void;
}

/** The worker's own grace time ends before. */
const STOP_LIMIT_MS = 60_000;
/** Bundling the workflows takes seconds, on a slow laptop some more. */
const READY_LIMIT_MS = 120_000;

/**
 * Runs the worker until `signal`, or until it ends by itself.
 * @returns how it ended where a restart may help: undefined after `signal`.
 * @throws where a restart would not help: it failed before it was ready, or does not stop.
 */
export async function superviseWorker(
  runWorker: RunWorker,
  target: Pick<WorkerContext, 'address' | 'namespace'>,
  signal: AbortSignal,
  onReady: () => void,
): Promise<Error | undefined> {
  const notReady = new AbortController();
  const stop = AbortSignal.any([signal, notReady.signal]);
  const limit = setTimeout(() => notReady.abort(), READY_LIMIT_MS);
  let wasReady = false;
  const ready = (): void => {
    wasReady = true;
    clearTimeout(limit);
    if (!stop.aborted) onReady();
  };
  try {
    const ended = runWorker({ ...target, signal: stop, ready }).then(
      () => new Error('The worker ended by itself.'),
      (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
    );
    const failure = await Promise.race([ended, stuckAfter(stop)]);
    if (failure === 'stuck') throw tooSlow('stop', STOP_LIMIT_MS);
    if (signal.aborted) return undefined;
    if (notReady.signal.aborted) throw tooSlow('start', READY_LIMIT_MS);
    if (!wasReady) throw asFinal(failure);
    return failure;
  } finally {
    clearTimeout(limit);
  }
}

async function stuckAfter(stop: AbortSignal): Promise<'stuck'> {
  await aborted(stop);
  // A timer that nobody waits for any more does not keep the process.
  await sleep(STOP_LIMIT_MS, undefined, { ref: false });
  return 'stuck';
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function asFinal(failure: Error): LonghaulError {
  if (failure instanceof LonghaulError) return failure;
  const message = `The embedded worker failed: ${failure.message}`;
  return new LonghaulError('EMBEDDED_FAILED', message, {}, { cause: failure });
}

function tooSlow(what: 'start' | 'stop', limitMs: number): LonghaulError {
  const message = `The embedded worker did not ${what} within ${limitMs / 1000} s.`;
  return new LonghaulError('EMBEDDED_FAILED', message);
}
