import type { Client } from '@temporalio/client';
import { Command } from 'commander';
import { bytesText, countText } from '../../model/texts.ts';
import {
  SWEEP_WORKFLOW_ID,
  type SweepInput,
  type SweepOutcome,
  type SweepResult,
} from '../../model/sweep.ts';
import type { sweepLake } from '../../workflows/index.ts';
import { ageOption, examples, print, type CliContext, type Flags } from '../command.ts';
import type { TemporalLink } from '../temporal-link.ts';
import { lakeQueue, withTemporal } from '../temporal.ts';
import { durationText, tableText } from '../text.ts';

export function sweepCommand(context: CliContext): Command {
  const command = new Command('sweep')
    .summary('remove what dead runs left, and days that are kept no longer')
    .description(
      'Removes what killed or failed runs left in the lake: unfinished uploads, partial files and their ' +
        'checkpoints, Parquet parts that nothing names, staging, temporaries; what Iceberg tables do not name any more, after two days; and ends EMR clusters that they made. What is published or landed stays (what was unpublished too, ' +
        'without --unpublished-after), and so does what a run under way holds. A failed run that is retried after that downloads from the start. ' +
        'Where datasets.yaml here says `keep` of a dataset, older days end: readers do not see them any more, and their files go with the first sweep that is --older-than later. Ctrl-C cancels it.',
    )
    .addOption(
      // An operator usually retries a failed run on the same day. Its partial landings then save a download.
      ageOption(
        '--older-than <age>',
        'only files that no process has touched for this long: 90m, 24h, 7d; 0 for all',
        '24h',
      ),
    )
    .addOption(
      ageOption(
        '--unpublished-after <age>',
        'also Parquet and raw files of days that were unpublished so long ago, which no published day uses',
      ),
    )
    .option('--dry-run', 'remove nothing, and show what would go')
    .action(async (flags: SweepFlags) => {
      const { settings, keep } = context.loadConfig();
      const input: SweepInput = {
        olderThanMs: flags.olderThan,
        unpublishedAfterMs: flags.unpublishedAfter,
        ...(keep.length > 0 && { keep }),
        dryRun: flags.dryRun ?? false,
        heartbeatTimeoutMs: settings.activity.heartbeatTimeoutMs,
      };
      await withTemporal(context, { work: [] }, async (link, signal) => {
        const queue = await lakeQueue(link.client, settings);
        const result = await sweepInTurn(context, { link, queue }, input, signal);
        await print(context, flags, result, () => sweepText(result));
      });
    });
  return examples(command, [
    'sweep --dry-run',
    'sweep --older-than 7d',
    'sweep --unpublished-after 30d --dry-run',
    'sweep --lake s3://my-lake --json',
  ]);
}

interface SweepFlags extends Flags {
  olderThan: number;
  unpublishedAfter?: number;
  dryRun?: boolean;
}

/** A lake has one sweep at a time. If another one is under way, the CLI waits for its end. */
async function sweepInTurn(
  context: CliContext,
  { link, queue }: { link: TemporalLink; queue: string },
  input: SweepInput,
  signal: AbortSignal,
): Promise<SweepResult> {
  const { awaitRun } = await import('../follow.ts');
  const { note: onNote } = context;
  const onCancel = (): void => onNote('Cancelling the sweep; Ctrl-C again leaves at once.');
  for (;;) {
    const { run, running } = await start(link.client, queue, input);
    if (isSame(running, input)) {
      onNote(`Sweep ${run.workflowId} (${run.runId})`);
      return await awaitRun(link, run, { signal, onNote, onCancel });
    }
    onNote('Another sweep of this lake is under way: waiting for its end.');
    await awaitRun(link, run, { signal, onNote, foreign: true }).catch((error: unknown) => {
      if (signal.aborted) throw error;
    });
  }
}

function isSame(a: SweepInput, b: SweepInput): boolean {
  const isAsOld = a.olderThanMs === b.olderThanMs && a.unpublishedAfterMs === b.unpublishedAfterMs;
  const isKept = JSON.stringify(a.keep ?? []) === JSON.stringify(b.keep ?? []);
  return isAsOld && isKept && a.dryRun === b.dryRun;
}

/** @returns `running` the input of the sweep under way, which another command may have started. */
async function start(client: Client, taskQueue: string, input: SweepInput) {
  const { inputOf } = await import('../../runs/start-run.ts');
  const { olderThanMs, dryRun } = input;
  const what = `sweep, older than ${durationText(olderThanMs)}`;
  const { workflowId, firstExecutionRunId } = await client.workflow.start<typeof sweepLake>(
    'sweepLake',
    {
      taskQueue,
      workflowId: SWEEP_WORKFLOW_ID,
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [input],
      staticSummary: dryRun ? `${what}, dry run` : what,
    },
  );
  const run = { workflowId, runId: firstExecutionRunId };
  return { run, running: (await inputOf(client, run)) as unknown as SweepInput };
}

/** Characters. Longer than any key that Longhaul makes, because a user cannot look up a cut key. */
const MAX_KEY_LENGTH = 400;

export function sweepText(result: SweepResult): string {
  const { items, count } = result;
  if (count === 0) return totalsLine(result);
  const rows = items.map(({ kind, ageMs, bytes, key, outcome }) => [
    kind,
    durationText(ageMs),
    bytesText(bytes),
    key,
    outcome,
  ]);
  const head = ['kind', 'age', 'size', 'key', 'outcome'];
  const lines = [tableText(head, rows, [1, 2], MAX_KEY_LENGTH)];
  if (count > items.length) lines.push(`… and ${countText(count - items.length)} more.`);
  return [...lines, totalsLine(result)].join('\n');
}

function totalsLine(result: SweepResult): string {
  const { dryRun, olderThanMs, younger, clustersUnknown: unknown } = result;
  const gone = dryRun
    ? `Dry run, nothing was removed: ${amount(result, 'would-remove')} would go`
    : `Removed ${amount(result, 'removed')}`;
  const details = [gone];
  const kept = amount(result, 'kept-live');
  if (kept !== 'nothing') details.push(`kept ${kept} of runs under way`);
  if (younger > 0) details.push(`${countText(younger)} younger than ${durationText(olderThanMs)}`);
  const emr = unknown === undefined ? '' : ` EMR's clusters could not be listed: ${unknown}`;
  return `${details.join('; ')}.${emr}`;
}

function amount({ totals }: SweepResult, outcome: SweepOutcome): string {
  const ofOutcome = totals.filter((each) => each.outcome === outcome);
  const sum = (key: 'count' | 'bytes'): number =>
    ofOutcome.reduce((total, each) => total + each[key], 0);
  const count = sum('count');
  if (count === 0) return 'nothing';
  return `${countText(count)} item${count === 1 ? '' : 's'}, ${bytesText(sum('bytes'))}`;
}
