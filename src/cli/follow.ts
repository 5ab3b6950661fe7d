import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { ingestWorkflowId, type IngestResult } from '../model/run.ts';
import { fromTemporal } from './failures.ts';
import { readRunState, type RunState } from './run-state.ts';
import type { TemporalLink } from './temporal-link.ts';

export interface RunRef {
  workflowId: string;
  runId: string;
}

/** Finds the run that the user names by a run id, a workflow id, or `<dataset>/<date>`. */
export async function findRun(client: Client, text: string): Promise<RunRef> {
  const [, dataset = '', date = ''] = /^([a-z0-9-]+)\/(\d{4}-\d{2}-\d{2})$/.exec(text) ?? [];
  const workflowId = dataset === '' ? text : ingestWorkflowId(dataset, date);
  try {
    if (UUID.test(text)) {
      const query = `RunId = '${text}'`;
      for await (const { workflowId, runId } of client.workflow.list({ query })) {
        return { workflowId, runId };
      }
    }
    return { workflowId, runId: (await client.workflow.getHandle(workflowId).describe()).runId };
  } catch (error) {
    const known = fromTemporal(error);
    if (!(known instanceof LonghaulError) || known.code !== 'RUN_UNKNOWN') throw known;
    const quoted = JSON.stringify(printable(text));
    throw new LonghaulError('RUN_UNKNOWN', `Temporal knows no run ${quoted}.`);
  }
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface WaitOptions {
  /** Ctrl-C aborts this signal. The CLI then cancels the run and waits for its end. */
  signal: AbortSignal;
  /** True if another command started the run. Ctrl-C then stops the waiting, not the run. */
  foreign?: boolean;
  onCancel?: () => void;
  discard?: boolean;
  /** Called when Temporal stops answering and when it answers again. Neither ends the run. */
  onNote?: (note: string) => void;
}

interface FollowOptions extends WaitOptions {
  /** Called with the run's state about once a second. */
  onState: (state: RunState) => void;
}

const POLL_INTERVAL_MS = 1000;

/** Passes the state of a run to `onState` until the run ends. */
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
    // If a connection is closed while a call is retried, the client throws outside of the caller.
    await polled;
  }
}

/** Waits for a run's result. If the connection is lost, waits over a new one. */
export async function awaitRun<T>(
  link: TemporalLink,
  run: RunRef,
  options: WaitOptions,
): Promise<T> {
  const { signal, foreign = false, onCancel, onNote: onNews = () => undefined } = options;
  const done = new AbortController();
  const cancel = (): void => {
    onCancel?.();
    if (foreign) return done.abort();
    // If the run has ended, there is nothing to cancel. The call for the result reports any other fault.
    void link
      .call(async (client) => await cancelRun(handleOf(client, run), options), {
        signal: done.signal,
      })
      .catch(() => undefined);
  };
  const result = async (client: Client): Promise<unknown> => {
    done.signal.throwIfAborted();
    return await client.withAbortSignal(
      done.signal,
      async () => (await handleOf(client, run).result()) as unknown,
    );
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  try {
    return (await link.call(result, { signal: done.signal, onNews })) as T;
  } catch (error) {
    if (!foreign || !signal.aborted) throw fromTemporal(error);
    throw new LonghaulError('CANCELLED', 'Stopped waiting; the run under way goes on.');
  } finally {
    done.abort();
    signal.removeEventListener('abort', cancel);
  }
}

export function handleOf(client: Client, { workflowId, runId }: RunRef): WorkflowHandle {
  return client.workflow.getHandle(workflowId, runId);
}

export function cancelText({ discard = false }: { discard?: boolean }): string {
  const kept = discard ? 'and throwing away what it downloaded' : 'and keeping what it downloaded';
  return `Cancelling the run ${kept}.`;
}

export async function cancelRun(
  handle: WorkflowHandle,
  { discard = false }: { discard?: boolean },
): Promise<void> {
  if (discard) await handle.signal('discardDownloads');
  await handle.cancel();
}

async function poll(
  link: TemporalLink,
  run: RunRef,
  onState: (state: RunState) => void,
  done: AbortSignal,
): Promise<void> {
  while (!done.aborted) {
    // The call for the result reports what is wrong with the server.
    const state = await readRunState(handleOf(link.client, run)).catch(() => undefined);
    if (state) onState(state);
    await sleep(POLL_INTERVAL_MS, undefined, { signal: done }).catch(() => undefined);
  }
}
