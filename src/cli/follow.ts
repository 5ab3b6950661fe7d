import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { LonghaulError } from '../model/errors.ts';
import type { IngestResult } from '../model/run.ts';
import { fromTemporal } from './failures.ts';
import { readRunState, type RunState } from './run-state.ts';
import type { RunRef } from './runs.ts';
import type { TemporalLink } from './temporal-link.ts';

export interface WaitOptions {
  /** Aborted by Ctrl-C: cancels the run and waits for its end. */
  signal: AbortSignal;
  /** The run is another command's, waited for only: Ctrl-C stops the waiting, not the run. */
  foreign?: boolean;
  onCancel?: () => void;
  /** A cancelled run throws away what it downloaded. */
  discard?: boolean | undefined;
  /** Hears that Temporal answers no more, and that it does again; the run itself goes on meanwhile. */
  onNote?: (note: string) => void;
}

export interface FollowOptions extends WaitOptions {
  /** Gets the run's state about once a second. */
  onState: (state: RunState) => void;
}

const POLL_INTERVAL_MS = 1000;

/**
 * Shows a run until its end.
 * @throws LonghaulError as `awaitRun`.
 */
export async function followRun(
  link: TemporalLink,
  run: RunRef,
  options: FollowOptions,
): Promise<IngestResult> {
  const done = new AbortController();
  const polled = poll(link, run, options.onState, done.signal);
  try {
    return await awaitRun<IngestResult>(link, run, options);
  } finally {
    done.abort();
    // A call that is still tried again throws past its caller once its connection is closed.
    await polled;
  }
}

/**
 * Waits for a run's result, over as many connections as it takes.
 * @throws LonghaulError of why the run failed; CANCELLED.
 */
export async function awaitRun<T>(
  link: TemporalLink,
  run: RunRef,
  options: WaitOptions,
): Promise<T> {
  const { signal, foreign = false, onCancel } = options;
  const done = new AbortController();
  const ended = resultOf<T>(link, run, options, done.signal).finally(() => done.abort());
  const cancel = (): void => {
    onCancel?.();
    if (foreign) return;
    // Where it ended meanwhile there is nothing to cancel; any other fault shows in its result.
    void link
      .call(async (client) => await cancelRun(handleOf(client, run), options), done.signal)
      .catch(() => undefined);
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  try {
    return await (foreign ? Promise.race([ended, rejectOn(signal)]) : ended);
  } catch (error) {
    throw fromTemporal(error);
  } finally {
    done.abort();
    signal.removeEventListener('abort', cancel);
    // As `polled` above: whoever waits no longer leaves no call behind.
    await ended.catch(() => undefined);
  }
}

/** Of the client that a link has now. */
export function handleOf(client: TemporalLink['client'], run: RunRef): WorkflowHandle {
  return client.workflow.getHandle(run.workflowId, run.runId);
}

/** For people. */
export function cancelText({ discard = false }: { discard?: boolean | undefined }): string {
  const kept = discard ? 'and throwing away what it downloaded' : 'and keeping what it downloaded';
  return `Cancelling the run ${kept}.`;
}

/** @param discard what was downloaded is thrown away, instead of kept for the next run of the day. */
export async function cancelRun(
  handle: WorkflowHandle,
  { discard = false }: { discard?: boolean | undefined },
): Promise<void> {
  if (discard) await handle.signal('discardDownloads');
  await handle.cancel();
}

const LINK_NEWS = {
  lost: 'Temporal does not answer any more: trying again. The run goes on as soon as it is back.',
  back: 'Temporal is back.',
} as const;

async function resultOf<T>(
  link: TemporalLink,
  run: RunRef,
  { onNote }: WaitOptions,
  done: AbortSignal,
): Promise<T> {
  let lostAt: number | undefined;
  for (;;) {
    const { client } = link;
    try {
      if (lostAt !== undefined) {
        await handleOf(client, run).describe();
        onNote?.(LINK_NEWS.back);
        lostAt = undefined;
      }
      const result: unknown = await client.withAbortSignal(
        done,
        async () => (await handleOf(client, run).result()) as unknown,
      );
      return result as T;
    } catch (error) {
      if (done.aborted || !link.isLost(error)) throw error;
      if (lostAt === undefined) onNote?.(LINK_NEWS.lost);
      lostAt ??= performance.now();
      const restMs = link.giveUpAfterMs - (performance.now() - lostAt);
      if (restMs <= 0) throw error;
      await reconnect(
        link,
        client,
        AbortSignal.any([done, AbortSignal.timeout(Math.ceil(restMs))]),
        error,
      );
      if (link.client !== client) continue;
      await sleep(POLL_INTERVAL_MS, undefined, { signal: done }).catch(() => undefined);
    }
  }
}

/** @throws what the host says of a server that does not come back, or `why` where it says nothing in time. */
async function reconnect(
  link: TemporalLink,
  lost: TemporalLink['client'],
  signal: AbortSignal,
  why: unknown,
): Promise<void> {
  try {
    await link.reconnect(lost, signal);
  } catch (error) {
    if (signal.aborted) throw why;
    if (!link.isLost(error)) throw error;
  }
}

async function poll(
  link: TemporalLink,
  run: RunRef,
  onState: (state: RunState) => void,
  done: AbortSignal,
): Promise<void> {
  while (!done.aborted) {
    // The result says what is wrong with the server, if anything is.
    const state = await readRunState(handleOf(link.client, run)).catch(() => undefined);
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
