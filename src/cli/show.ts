import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { exitCodeOf } from '../model/errors.ts';
import type { IngestResult, RunError, RunProgress } from '../model/run.ts';
import { print, type CliContext } from './context.ts';
import { fromTemporal } from './failures.ts';
import { awaitRun, cancelRun, cancelText, followRun, handleOf } from './follow.ts';
import { progressViews } from './progress-view.ts';
import { asLonghaulError, errorObject } from './render/error.ts';
import { runsText, runText } from './render/runs.ts';
import { pendingOf, readProgress, type PendingActivity } from './run-state.ts';
import { findRun, listRuns, type RunRef } from './runs.ts';
import type { TemporalLink } from './temporal-link.ts';
import { zonesOf } from './time-zones.ts';
import { withTemporal } from './with-temporal.ts';

interface Flags {
  json?: boolean;
}

/** Everything that can be told of one run. */
export interface RunDetails {
  workflowId: string;
  runId: string;
  status: string;
  /** ISO 8601, UTC. */
  startedAt: string;
  durationMs: number;
  uiUrl?: string;
  progress?: RunProgress;
  pending: PendingActivity[];
  result?: IngestResult;
  error?: RunError;
}

export async function showRuns(
  context: CliContext,
  { limit, json }: Flags & { limit: number },
): Promise<void> {
  await withTemporal(context, { worker: false }, async (link) => {
    const runs = await listRuns(link.client, limit);
    await print(context, { json }, { runs }, () =>
      runsText(runs, zonesOf(context.loadConfig().datasets)),
    );
  });
}

export async function showRun(
  context: CliContext,
  text: string,
  flags: Flags & { follow?: boolean },
): Promise<void> {
  // What is followed to its end needs a worker to get there.
  const worker = flags.follow ?? false;
  await withTemporal(context, { worker }, async (link, signal) => {
    const run = await findRun(link.client, text);
    if (flags.follow) await followToEnd(context, run, link, signal);
    const details = await detailsOf(run, link);
    if (details.status === 'RUNNING' && !(await link.hasWorker())) {
      context.note(`No worker runs: the run goes on as soon as one does (${howToWork(link)}).`);
    }
    if (flags.follow && details.error) context.setExitCode(exitCodeOf(details.error.code));
    await print(context, flags, details, () =>
      runText(details, new Date(), zonesOf(context.loadConfig().datasets)),
    );
  });
}

/** Its failure is told with all the rest of the run. */
async function followToEnd(
  context: CliContext,
  run: RunRef,
  link: TemporalLink,
  signal: AbortSignal,
): Promise<void> {
  const view = (await progressViews(context)).open(run.workflowId);
  try {
    await followRun(link, run, {
      foreign: true,
      signal,
      onState: (state) => view.show(state),
      onNote: (note) => context.note(note),
    });
  } catch (error) {
    if (signal.aborted || (await statusOf(link, run)) === 'RUNNING') throw error;
  } finally {
    view.close();
  }
}

async function statusOf({ client }: TemporalLink, run: RunRef): Promise<string> {
  return (await handleOf(client, run).describe()).status.name;
}

export async function cancel(
  context: CliContext,
  text: string,
  flags: Flags & { discard?: boolean },
): Promise<void> {
  await withTemporal(context, { worker: false }, async (link, signal) => {
    const { workflowId, runId } = await findRun(link.client, text);
    const run = { workflowId, runId };
    const hadEnded = (await statusOf(link, run)) !== 'RUNNING';
    if (!hadEnded) {
      await cancelRun(handleOf(link.client, run), flags);
      context.note(cancelText(flags));
      await untilEnded(context, link, run, signal);
    }
    const status = await statusOf(link, run);
    await print(context, flags, { ...run, status }, () =>
      endText(status, { hadEnded, isEmbedded: link.isEmbedded }),
    );
  });
}

function endText(
  status: string,
  { hadEnded, isEmbedded }: { hadEnded: boolean; isEmbedded: boolean },
): string {
  if (hadEnded) return `The run had ended: ${status}.`;
  if (status !== 'RUNNING') return `The run has ended: ${status}.`;
  const how = howToWork({ isEmbedded });
  return `The run is cancelled. No worker runs: it ends, and is cleaned up, as soon as one does (${how}).`;
}

function howToWork({ isEmbedded }: Pick<TemporalLink, 'isEmbedded'>): string {
  return isEmbedded ? '`longhaul up`, or the next command that loads' : '`longhaul worker`';
}

const WORKER_LOOK_MS = 1000;

/** Or until no worker is there to end it. */
async function untilEnded(
  context: CliContext,
  link: TemporalLink,
  run: RunRef,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const waiting = AbortSignal.any([signal, stop.signal]);
  const onNote = (note: string): void => context.note(note);
  const ended = awaitRun(link, run, { signal: waiting, foreign: true, onNote })
    .catch((error: unknown) => {
      // How it ended is its status.
      if (signal.aborted) throw error;
    })
    .finally(() => stop.abort());
  while (!waiting.aborted) {
    if (!(await link.hasWorker())) stop.abort();
    await sleep(WORKER_LOOK_MS, undefined, { signal: waiting }).catch(() => undefined);
  }
  await ended;
}

async function detailsOf(run: RunRef, { client, webUi }: TemporalLink): Promise<RunDetails> {
  const { workflowId, runId } = run;
  const handle = handleOf(client, run);
  const description = await handle.describe();
  const { startTime, closeTime, status } = description;
  const progress = await readProgress(handle);
  return {
    workflowId,
    runId,
    status: status.name,
    startedAt: startTime.toISOString(),
    durationMs: (closeTime ?? new Date()).getTime() - startTime.getTime(),
    ...(webUi !== undefined && {
      uiUrl: `${webUi}/${encodeURIComponent(workflowId)}/${runId}`,
    }),
    progress,
    pending: pendingOf(description),
    ...(status.name === 'RUNNING' ? {} : await outcomeOf(handle)),
  };
}

async function outcomeOf(handle: WorkflowHandle): Promise<Pick<RunDetails, 'result' | 'error'>> {
  try {
    return { result: (await handle.result()) as IngestResult };
  } catch (error) {
    return { error: errorObject(asLonghaulError(fromTemporal(error))) };
  }
}
