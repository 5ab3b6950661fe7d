import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
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
}

const POLL_INTERVAL_MS = 1000;

/**
 * Waits for a run's end.
 * @throws LonghaulError of why the run failed; CANCELLED.
 */
export async function followRun(
  handle: WorkflowHandle,
  { onState, signal, foreign = false, onCancel }: FollowOptions,
): Promise<IngestResult> {
  const done = new AbortController();
  const ended = (handle.result() as Promise<IngestResult>).finally(() => done.abort());
  const cancel = (): void => {
    onCancel?.();
    // Where it ended meanwhile there is nothing to cancel; any other fault shows in its result.
    if (!foreign) void handle.cancel().catch(() => undefined);
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  try {
    const polled = poll(handle, onState, done.signal);
    const outcome = await (foreign ? Promise.race([ended, rejectOn(signal)]) : ended);
    await polled;
    return outcome;
  } catch (error) {
    throw fromTemporal(error);
  } finally {
    done.abort();
    signal.removeEventListener('abort', cancel);
  }
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
