import type { Client, WorkflowHandle } from '@temporalio/client';
import { LonghaulError } from '../model/errors.ts';
import { TASK_QUEUE } from '../model/run.ts';
import { sweepWorkflowId, type SweepInput, type SweepResult } from '../model/sweep.ts';
import type { sweepLake } from '../workflows/index.ts';
import type { SweepFlags } from './commands/sweep.ts';
import { openTemporal } from './connection.ts';
import { print, type CliContext } from './context.ts';
import { fromTemporal } from './failures.ts';
import { interruptible } from './interrupts.ts';
import { sweepText } from './render/sweep.ts';
import { durationText } from './render/units.ts';
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
  await interruptible(async (signal) => {
    const link = await openTemporal(context, settings, signal);
    try {
      const result = await sweepInTurn(context, link.client, input, signal);
      await print(context, flags, result, () => sweepText(result));
    } catch (error) {
      throw fromTemporal(error);
    } finally {
      await link.close();
    }
  });
}

type Wanted = Required<SweepInput>;

async function sweepInTurn(
  context: CliContext,
  client: Client,
  input: Wanted,
  signal: AbortSignal,
): Promise<SweepResult> {
  for (;;) {
    const handle = await start(client, input);
    const { workflowId, firstExecutionRunId: runId } = handle;
    const running = (await inputOf(client, { workflowId, runId })) as unknown as SweepInput;
    if (running.dryRun === input.dryRun && running.olderThanMs === input.olderThanMs) {
      context.note(`Sweep ${workflowId} (${runId})`);
      return await follow(context, handle, signal);
    }
    context.note('Another sweep of this lake is under way: waiting for its end.');
    await Promise.race([handle.result().catch(() => undefined), rejectOn(signal)]);
  }
}

async function start(client: Client, input: Wanted) {
  const { target, olderThanMs, dryRun } = input;
  const what = `sweep ${target}, older than ${durationText(olderThanMs)}`;
  return await client.workflow.start<typeof sweepLake>('sweepLake', {
    taskQueue: TASK_QUEUE,
    workflowId: sweepWorkflowId(target),
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [input],
    staticSummary: dryRun ? `${what}, dry run` : what,
  });
}

async function follow(
  context: CliContext,
  handle: WorkflowHandle<typeof sweepLake>,
  signal: AbortSignal,
): Promise<SweepResult> {
  const cancel = (): void => {
    context.note('Cancelling the sweep; Ctrl-C again leaves at once.');
    // Where it ended meanwhile there is nothing to cancel; any other fault shows in its result.
    void handle.cancel().catch(() => undefined);
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  try {
    return await handle.result();
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

async function rejectOn(signal: AbortSignal): Promise<never> {
  return await new Promise((_resolve, reject) => {
    const stop = (): void => {
      reject(new LonghaulError('CANCELLED', 'Stopped waiting; the sweep under way goes on.'));
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
