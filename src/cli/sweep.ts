import type { Client } from '@temporalio/client';
import { TASK_QUEUE } from '../model/run.ts';
import { sweepWorkflowId, type SweepInput, type SweepResult } from '../model/sweep.ts';
import type { sweepLake } from '../workflows/index.ts';
import type { SweepFlags } from './commands/sweep.ts';
import { print, type CliContext } from './context.ts';
import { awaitRun } from './follow.ts';
import { sweepText } from './render/sweep.ts';
import { durationText } from './render/units.ts';
import type { TemporalLink } from './temporal-link.ts';
import { withTemporal } from './with-temporal.ts';
import { inputOf } from '../runs/start-run.ts';

/** Runs a sweep to its end and prints what went. One sweep of a lake at a time: another one's end is waited for. */
export async function runSweep(context: CliContext, flags: SweepFlags): Promise<void> {
  const { settings } = context.loadConfig();
  const input: Wanted = {
    target: flags.target ?? settings.target,
    olderThanMs: flags.olderThan,
    dryRun: flags.dryRun ?? false,
    heartbeatTimeoutMs: settings.activity.heartbeatTimeoutMs,
  };
  await withTemporal(context, { work: [input] }, async (link, signal) => {
    const result = await sweepInTurn(context, link, input, signal);
    await print(context, flags, result, () => sweepText(result));
  });
}

type Wanted = Required<SweepInput>;

async function sweepInTurn(
  context: CliContext,
  link: TemporalLink,
  input: Wanted,
  signal: AbortSignal,
): Promise<SweepResult> {
  const onNote = (note: string): void => context.note(note);
  const onCancel = (): void => onNote('Cancelling the sweep; Ctrl-C again leaves at once.');
  for (;;) {
    const { workflowId, runId, running } = await start(link.client, input);
    const run = { workflowId, runId };
    if (running.dryRun === input.dryRun && running.olderThanMs === input.olderThanMs) {
      onNote(`Sweep ${workflowId} (${runId})`);
      return await awaitRun(link, run, { signal, onNote, onCancel });
    }
    onNote('Another sweep of this lake is under way: waiting for its end.');
    await awaitRun(link, run, { signal, onNote, foreign: true }).catch((error: unknown) => {
      if (signal.aborted) throw error;
    });
  }
}

/** `running`: what the sweep under way does, this one or another. */
async function start(client: Client, input: Wanted) {
  const { target, olderThanMs, dryRun } = input;
  const what = `sweep ${target}, older than ${durationText(olderThanMs)}`;
  const handle = await client.workflow.start<typeof sweepLake>('sweepLake', {
    taskQueue: TASK_QUEUE,
    workflowId: sweepWorkflowId(target),
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [input],
    staticSummary: dryRun ? `${what}, dry run` : what,
  });
  const run = { workflowId: handle.workflowId, runId: handle.firstExecutionRunId };
  return { ...run, running: (await inputOf(client, run)) as unknown as SweepInput };
}
