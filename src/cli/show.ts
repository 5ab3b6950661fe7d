import type { WorkflowHandle } from '@temporalio/client';
import { exitCodeOf } from '../model/errors.ts';
import type { IngestResult, RunError, RunProgress } from '../model/run.ts';
import type { TemporalLink } from './connection.ts';
import { print, type CliContext } from './context.ts';
import { fromTemporal } from './failures.ts';
import { followRun, GIVE_UP_AFTER_MS, LINK_NEWS } from './follow.ts';
import { progressViews } from './progress-view.ts';
import { asLonghaulError, errorObject } from './render/error.ts';
import { runsText, runText } from './render/runs.ts';
import { pendingOf, readProgress, type PendingActivity } from './run-state.ts';
import { findRun, listRuns, type RunRef } from './runs.ts';
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
  await withTemporal(context, async (link) => {
    const runs = await listRuns(link.client, limit);
    await print(context, { json }, { runs }, () => runsText(runs));
  });
}

export async function showRun(
  context: CliContext,
  text: string,
  flags: Flags & { follow?: boolean },
): Promise<void> {
  await withTemporal(context, async (link, signal) => {
    const handle = await findRun(link.client, text);
    if (flags.follow) await followToEnd(context, handle, link, signal);
    const details = await detailsOf(handle, link);
    if (flags.follow && details.error) context.setExitCode(exitCodeOf(details.error.code));
    await print(context, flags, details, () => runText(details, new Date()));
  });
}

/** Its failure is told with all the rest of the run. */
async function followToEnd(
  context: CliContext,
  handle: WorkflowHandle & RunRef,
  { embedded }: TemporalLink,
  signal: AbortSignal,
): Promise<void> {
  const view = progressViews(context).open(handle.workflowId);
  try {
    await followRun(handle, {
      foreign: true,
      signal,
      onState: (state) => view.show(state),
      onLink: (news) => context.note(LINK_NEWS[news]),
      giveUpAfterMs: GIVE_UP_AFTER_MS[embedded ? 'embedded' : 'configured'],
    });
  } catch (error) {
    const { status } = await handle.describe();
    if (status.name === 'RUNNING' || signal.aborted) throw error;
  } finally {
    view.close();
  }
}

export async function cancelRun(context: CliContext, text: string, flags: Flags): Promise<void> {
  await withTemporal(context, async (link) => {
    const handle = await findRun(link.client, text);
    const { status } = await handle.describe();
    if (status.name === 'RUNNING') {
      await handle.cancel();
      context.note('Cancelling the run and cleaning up …');
      await handle.result().catch(() => undefined);
    }
    const after = (await handle.describe()).status.name;
    const { workflowId, runId } = handle;
    const hadEnded = status.name !== 'RUNNING';
    await print(context, flags, { workflowId, runId, status: after }, () =>
      hadEnded ? `The run had ended: ${after}.` : `The run has ended: ${after}.`,
    );
  });
}

async function detailsOf(
  handle: WorkflowHandle & RunRef,
  { uiUrl, namespace }: TemporalLink,
): Promise<RunDetails> {
  const description = await handle.describe();
  const { startTime, closeTime, status } = description;
  const progress = await readProgress(handle);
  const page = `${uiUrl}/namespaces/${namespace}/workflows/${encodeURIComponent(handle.workflowId)}/${handle.runId}`;
  return {
    workflowId: handle.workflowId,
    runId: handle.runId,
    status: status.name,
    startedAt: startTime.toISOString(),
    durationMs: (closeTime ?? new Date()).getTime() - startTime.getTime(),
    ...(uiUrl !== undefined && { uiUrl: page }),
    ...(progress && { progress }),
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
