import type { WorkflowHandle } from '@temporalio/client';
import { Command } from 'commander';
import { exitCodeOf } from '../../model/errors.ts';
import type { Tombstone } from '../../model/manifest.ts';
import { printable } from '../../model/names.ts';
import type { IngestResult, RunError } from '../../model/run.ts';
import { readTombstone } from '../../storage/manifests.ts';
import { openLake } from '../../storage/open-lake.ts';
import { examples, print, type CliContext, type Flags } from '../command.ts';
import { asLonghaulError, errorObject } from '../errors.ts';
import type { RunRef } from '../follow.ts';
import { progressTable, resultText } from '../ledger.ts';
import { emrText, progressLine, progressViews } from '../progress.ts';
import type { PendingActivity } from '../run-state.ts';
import type { TemporalLink } from '../temporal-link.ts';
import { withTemporal } from '../temporal.ts';
import { durationText, momentText, unpublishedText } from '../text.ts';
import { howToWork, zoneOf } from './runs.ts';

export function showCommand(context: CliContext): Command {
  const command = new Command('show')
    .summary('show one run: stages, ledger, failures')
    .description(
      'Shows how far each source of a run is or got, its ledger, what is tried again and why, and why it failed. ' +
        'Starts no worker, except with --follow.',
    )
    .argument('<run>', 'a run id, a workflow id, or <dataset>/<date>')
    .option('--follow', 'stay until it ends; Ctrl-C leaves the run alone')
    .action(async (text: string, flags: Flags & { follow?: boolean }) => {
      const { findRun } = await import('../follow.ts');
      // A run that is followed to its end needs a worker.
      const { follow: worker = false } = flags;
      await withTemporal(context, { worker }, async (link, signal) => {
        const run = await findRun(link.client, text);
        if (flags.follow) await followToEnd(context, run, link, signal);
        const details = await withTombstone(context, await detailsOf(run, link));
        if (details.status === 'RUNNING' && !(await link.hasWorker(details.taskQueue))) {
          context.note(`No worker runs: the run goes on as soon as one does (${howToWork(link)}).`);
        }
        if (flags.follow && details.error) context.setExitCode(exitCodeOf(details.error.code));
        const zone = zoneOf(context.loadConfig().datasets, run.workflowId);
        await print(context, flags, details, () => runText(details, zone, context.lakeFlag));
      });
    });
  return examples(command, [
    'show denver-311/2026-11-23',
    'show denver-311/2026-11-23 --follow',
    'show <run id> --json',
  ]);
}

/** Does not throw if the run fails, because `show` prints the failure with the rest of the run. */
async function followToEnd(
  context: CliContext,
  run: RunRef,
  link: TemporalLink,
  signal: AbortSignal,
): Promise<void> {
  const { followRun, handleOf } = await import('../follow.ts');
  const view = (await progressViews(context)).open(run.workflowId);
  try {
    await followRun(link, run, {
      foreign: true,
      signal,
      onState: (state) => view.show(state),
      onNote: context.note,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    const { status } = await handleOf(link.client, run).describe();
    if (status.name === 'RUNNING') throw error;
  } finally {
    view.close();
  }
}

type RunDetails = Awaited<ReturnType<typeof detailsOf>> & {
  /** Present if an operator has unpublished what the run published. */
  unpublished?: Tombstone;
};

/** If the lake cannot be read, the rest of the run is still shown. */
async function withTombstone(context: CliContext, details: RunDetails): Promise<RunDetails> {
  const { result } = details;
  if (!result || result.status === 'landed' || result.status === 'on-hdfs') return details;
  try {
    const { converted } = await openLake(context.loadConfig().settings);
    return { ...details, unpublished: await readTombstone(converted, result) };
  } catch (error) {
    const { message } = asLonghaulError(error);
    context.note(`Whether it was unpublished since is not known: ${printable(message)}`);
    return details;
  }
}

async function detailsOf(run: RunRef, { client, webUi }: TemporalLink) {
  const { pendingOf, readProgress } = await import('../run-state.ts');
  const { handleOf } = await import('../follow.ts');
  const { workflowId, runId } = run;
  const handle = handleOf(client, run);
  const description = await handle.describe();
  const { startTime, closeTime, status } = description;
  const progress = await readProgress(handle);
  return {
    workflowId,
    runId,
    status: status.name,
    taskQueue: description.taskQueue,
    startedAt: startTime.toISOString(),
    durationMs: (closeTime ?? new Date()).getTime() - startTime.getTime(),
    uiUrl: webUi && `${webUi}/${encodeURIComponent(workflowId)}/${runId}`,
    progress,
    pending: pendingOf(description),
    ...(status.name === 'RUNNING' ? {} : await outcomeOf(handle)),
  };
}

async function outcomeOf(
  handle: WorkflowHandle,
): Promise<{ result?: IngestResult; error?: RunError }> {
  try {
    return { result: (await handle.result()) as IngestResult };
  } catch (error) {
    const { fromTemporal } = await import('../failures.ts');
    return { error: errorObject(asLonghaulError(fromTemporal(error))) };
  }
}

function runText(run: RunDetails, zone: string, lakeFlag: string): string {
  const { workflowId, runId, status, startedAt, durationMs, progress, result, error, unpublished } =
    run;
  const nowMs = Date.now();
  const ago = durationText(nowMs - Date.parse(startedAt));
  const lines = [
    `${printable(workflowId)} (${runId}): ${status.toLowerCase()}`,
    `Started ${momentText(new Date(startedAt), zone)}, ${ago} ago; took ${durationText(durationMs)}.`,
  ];
  if (run.uiUrl !== undefined) lines.push(`Web UI: ${run.uiUrl}`);
  if (result) lines.push('', resultText({ ...result, runId, durationMs }, lakeFlag));
  else if (progress) lines.push('', progressTable(progress));
  if (unpublished) lines.push(unpublishedText(unpublished, zone));
  lines.push(...run.pending.flatMap((each) => pendingLines(each)));
  if (progress?.emr) lines.push('', ...emrText(progress.emr, nowMs));
  if (error)
    lines.push('', `${error.code}: ${printable(error.message)}`, `→ ${printable(error.hint)}`);
  for (const { source, log } of logsOf(run)) {
    const of = source === undefined ? '' : ` (${source})`;
    const end = log.lines.length === 0 ? ['(not there yet)'] : log.lines;
    lines.push('', `The end of ${printable(log.uri)}${of}:`);
    lines.push(...end.map((line) => `  ${printable(line)}`));
  }
  return lines.join('\n');
}

function pendingLines({ type, attempt, transfer, lastFailure }: PendingActivity): string[] {
  const what = transfer
    ? progressLine(type, { id: transfer.source ?? '', stage: transfer.stage, transfer })
    : type;
  const lines = [`${what}, attempt ${attempt}`];
  if (lastFailure)
    lines.push(`  last failure: ${lastFailure.code}: ${printable(lastFailure.message)}`);
  return lines;
}

/** The logs of the run's own error and of its sources' errors, each log once. */
function logsOf({ error, progress }: RunDetails) {
  const failed = [error, ...(progress?.sources ?? []).map((source) => source.error)];
  const found = failed.flatMap((each) =>
    each?.log ? [{ source: each.source, log: each.log }] : [],
  );
  return found.filter(
    ({ log }, index) => found.findIndex((each) => each.log.uri === log.uri) === index,
  );
}
