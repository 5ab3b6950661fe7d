import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError, type WorkflowHandle } from '@temporalio/client';
import { LonghaulError } from '../model/errors.ts';
import type { IngestResult } from '../model/run.ts';
import { fromTemporal } from './failures.ts';
import { readRunState, type RunState } from './run-state.ts';

export interface FollowOptions {
  /** Gets the run's state about once a second. */
  onState: (state: RunState) => void;
  /** Aborted by Ctrl-C: cancels the run and waits for its end. */
  signal: AbortSignal;
  /** The run is somebody else's, waited for only: Ctrl-C stops the waiting, not the run. */
  foreign?: boolean;
  onCancel?: () => void;
  /** Called when Temporal answers no more, and when it does again; the run itself goes on meanwhile. */
  onLink?: (link: 'lost' | 'back') => void;
  /** How long a Temporal that does not answer is waited for. */
  giveUpAfterMs?: number;
}

/** A server of a team is back after its upgrade; the embedded one within seconds, or never. */
export const GIVE_UP_AFTER_MS = { configured: 600_000, embedded: 60_000 };

/** For people: what `onLink` means. */
export const LINK_NEWS = {
  lost: 'Temporal does not answer any more: trying again. The run goes on as soon as it is back.',
  back: 'Temporal is back.',
} as const;

const POLL_INTERVAL_MS = 1000;

/**
 * Waits for a run's end.
 * @throws LonghaulError of why the run failed; CANCELLED.
 */
export async function followRun(
  handle: WorkflowHandle,
  options: FollowOptions,
): Promise<IngestResult> {
  const { onState, signal, foreign = false, onCancel } = options;
  const done = new AbortController();
  const ended = resultOf(handle, options, done.signal).finally(() => done.abort());
  const cancel = (): void => {
    onCancel?.();
    // Where it ended meanwhile there is nothing to cancel; any other fault shows in its result.
    if (!foreign) void handle.cancel().catch(() => undefined);
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  const polled = poll(handle, onState, done.signal);
  try {
    return await (foreign ? Promise.race([ended, rejectOn(signal)]) : ended);
  } catch (error) {
    throw fromTemporal(error);
  } finally {
    done.abort();
    signal.removeEventListener('abort', cancel);
    // A call that is still tried again throws past everybody once its connection is closed.
    await polled;
  }
}

/** The result, over as many connections as it takes. */
async function resultOf(
  handle: WorkflowHandle,
  { onLink, giveUpAfterMs = GIVE_UP_AFTER_MS.configured }: FollowOptions,
  done: AbortSignal,
): Promise<IngestResult> {
  let lostAt: number | undefined;
  for (;;) {
    try {
      if (lostAt !== undefined) {
        await handle.describe();
        onLink?.('back');
        lostAt = undefined;
      }
      return (await handle.result()) as IngestResult;
    } catch (error) {
      if (done.aborted || !isLost(error)) throw error;
      if (lostAt === undefined) onLink?.('lost');
      lostAt ??= performance.now();
      if (performance.now() - lostAt >= giveUpAfterMs) throw error;
      await sleep(POLL_INTERVAL_MS, undefined, { signal: done }).catch(() => undefined);
    }
  }
}

/** `grpc.status`: CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE: a connection that broke. */
const LOST_CODES = new Set([1, 2, 4, 13, 14]);

function isLost(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (isGrpcServiceError(each)) return LOST_CODES.has(each.code);
  }
  return false;
}

async function poll(
  handle: WorkflowHandle,
  onState: (state: RunState) => void,
  done: AbortSignal,
): Promise<void> {
  while (!done.aborted) {
    // The result says what is wrong with the server, if anything is.
    const state = await readRunState(handle).catch(() => undefined);
    if (state) onState(state);
    await sleep(POLL_INTERVAL_MS, undefined, { signal: done }).catch(() => undefined);
  }
}

async function rejectOn(signal: AbortSignal): Promise<never> {
  return await new Promise((_resolve, reject) => {
    const stop = (): void => {
      reject(new LonghaulError('CANCELLED', 'Stopped waiting; the run under way goes on.'));
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
