import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import { EMBEDDED_NAMESPACE } from './temporal-namespace.ts';
import type { TemporalServer } from './temporal-server.ts';

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

/** Temporal's end is seen within this time. */
const WATCH_INTERVAL_MS = 500;
/** The worker's own grace time ends before. */
const WORKER_STOP_LIMIT_MS = 60_000;
/** Bundling the workflows takes seconds, on a slow laptop some more. */
const WORKER_READY_LIMIT_MS = 120_000;

/**
 * Runs the worker until `signal`, or until it or Temporal ends by itself.
 * @returns how it ended: a `failure` may be mended by a restart.
 * @throws where a restart would not help: it failed before it was ready, or does not stop.
 */
export async function superviseWorker(
  server: TemporalServer,
  runWorker: RunWorker,
  signal: AbortSignal,
  onReady: () => void,
): Promise<{ failure?: Error }> {
  const temporalEnded = new AbortController();
  const notReady = new AbortController();
  const stop = AbortSignal.any([signal, temporalEnded.signal, notReady.signal]);
  const watch = setInterval(() => {
    if (!server.process.isAlive()) temporalEnded.abort();
  }, WATCH_INTERVAL_MS);
  const readyLimit = setTimeout(() => notReady.abort(), WORKER_READY_LIMIT_MS);
  let wasReady = false;
  const ready = (): void => {
    wasReady = true;
    clearTimeout(readyLimit);
    if (!stop.aborted) onReady();
  };
  const context = { address: server.address, namespace: EMBEDDED_NAMESPACE, signal: stop, ready };
  try {
    const outcome = await outcomeOf(runWorker(context), stop);
    if (outcome === 'stuck') throw tooSlow('stop', WORKER_STOP_LIMIT_MS);
    if (signal.aborted) return outcome === undefined ? {} : { failure: outcome };
    if (temporalEnded.signal.aborted) return { failure: new Error('Temporal ended by itself.') };
    if (notReady.signal.aborted) throw tooSlow('start', WORKER_READY_LIMIT_MS);
    if (outcome && !wasReady) throw outcome;
    return { failure: outcome ?? new Error('The worker ended by itself.') };
  } finally {
    clearInterval(watch);
    clearTimeout(readyLimit);
  }
}

/** Undefined where the worker shut down, its error where it failed. */
async function outcomeOf(
  worker: Promise<void>,
  stop: AbortSignal,
): Promise<Error | 'stuck' | undefined> {
  const done = new AbortController();
  const ended = worker.then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
  try {
    return await Promise.race([ended, stuckAfter(stop, done.signal)]);
  } finally {
    done.abort();
  }
}

async function stuckAfter(stop: AbortSignal, done: AbortSignal): Promise<'stuck'> {
  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    else stop.addEventListener('abort', () => resolve(), { once: true, signal: done });
  });
  await sleep(WORKER_STOP_LIMIT_MS, undefined, { ref: false, signal: done }).catch(() => undefined);
  return 'stuck';
}

function tooSlow(what: 'start' | 'stop', limitMs: number): LonghaulError {
  const message = `The embedded worker did not ${what} within ${limitMs / 1000} s.`;
  return new LonghaulError('EMBEDDED_FAILED', message);
}
