import type { Client, ScheduleExecutionResult } from '@temporalio/client';
import { Command } from 'commander';
import { isTimeZone } from '../../config/dataset-shape.ts';
import {
  ingestDateAt,
  parseIngestDate,
  assertDayHasCome,
  assertHasPastDays,
  isTooOld,
} from '../../model/dates.ts';
import { exitCodeOf, LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { examples, print, type CliContext, type Flags } from '../command.ts';
import { startOfDay } from '../due.ts';
import {
  hashOf,
  inputOf,
  listScheduleIds,
  readSchedule,
  scheduleNamed,
  type ExistingSchedule,
} from '../schedule/fingerprint.ts';
import { lakeQueue, withTemporal } from '../temporal.ts';
import { momentText, tableText } from '../text.ts';

export function scheduleCommand(context: CliContext): Command {
  const command = new Command('schedule')
    .summary('daily runs: make, list, pause, trigger, backfill')
    .description(
      'The schedules of datasets.yaml on the Temporal server. Every dataset has one, daily at 06:00 in its time ' +
        'zone, unless the file says otherwise; nothing runs before `apply`. docs/schedules.md is the guide.',
    )
    .helpCommand(false);
  const parts = [applyCommand, listCommand, pauseCommand, resumeCommand];
  for (const part of [...parts, triggerCommand, backfillCommand, removeCommand]) {
    command.addCommand(part(context));
  }
  return examples(command, ['schedule apply --dry-run', 'schedule apply', 'schedule list']);
}

function applyCommand(context: CliContext): Command {
  const command = new Command('apply')
    .summary('make the server equal to datasets.yaml')
    .description(
      'Creates, updates and deletes schedules until the server has what datasets.yaml says, and prints the ' +
        'difference. Only schedules that this command made are touched. One that was changed in the Web UI ' +
        'is shown and left alone (exit code 8), unless --force. Pauses stay.',
    )
    .option('--dry-run', 'change nothing, and show what would change')
    .option('--force', 'also where a schedule was changed by hand since the last apply')
    .action(async (flags: Flags & { dryRun?: boolean; force?: boolean }) => {
      const { dryRun = false, force = false } = flags;
      const config = context.loadConfig();
      await withTemporal(context, { worker: false }, async ({ client, isEmbedded }) => {
        const { applySchedules, changesText } = await import('../schedule/apply.ts');
        const queue = await lakeQueue(client, config.settings);
        const changes = await applySchedules(client, config, { queue, force, dryRun });
        await print(context, flags, { dryRun, changes }, () => changesText(changes, dryRun));
        if (isEmbedded && config.schedules.size > 0) {
          context.note('Schedules of the embedded server run while it runs: `longhaul up`.');
        }
        if (changes.some(({ action }) => action === 'left-alone')) {
          context.setExitCode(exitCodeOf('SCHEDULES_LEFT_ALONE'));
        }
      });
    });
  return examples(command, [
    'schedule apply --dry-run',
    'schedule apply',
    'schedule apply --lake s3://my-lake --json',
  ]);
}

function listCommand(context: CliContext): Command {
  const command = new Command('list')
    .summary('next times, last runs, pauses and their notes')
    .description(
      'Shows each schedule: when, the next five times, its last five runs and their outcome.',
    )
    .action(async (flags: Flags) => {
      await withTemporal(context, { worker: false }, async ({ client }) => {
        const schedules = await listSchedules(client);
        await print(context, flags, { schedules }, () => schedulesText(schedules));
      });
    });
  return examples(command, ['schedule list', 'schedule list --json']);
}

export type ScheduleSummary = Awaited<ReturnType<typeof summaryOf>>;

async function listSchedules(client: Client): Promise<ScheduleSummary[]> {
  const schedules: ScheduleSummary[] = [];
  for (const id of await listScheduleIds(client)) {
    const existing = await readSchedule(client, id);
    if (existing) schedules.push(await summaryOf(client, existing));
  }
  return schedules;
}

/** Number of next times, and of last runs, that the list shows. */
const SHOWN = 5;

async function summaryOf(client: Client, existing: ExistingSchedule) {
  const { dataset, scheduleId, fingerprint, paused, applied, description } = existing;
  const { info } = description;
  const recent = info.recentActions
    .toSorted((a, b) => b.takenAt.getTime() - a.takenAt.getTime())
    .slice(0, SHOWN);
  const asApplied = applied?.hash === hashOf(fingerprint) ? 'applied' : 'by-hand';
  const state: keyof typeof STATES = applied ? asApplied : 'foreign';
  const next = paused ? [] : info.nextActionTimes.slice(0, SHOWN);
  return {
    dataset,
    scheduleId,
    when: fingerprint['when'] ?? '',
    timeZone: fingerprint['time zone'] || 'UTC',
    paused,
    note: description.state.note || undefined,
    state,
    // The server includes the jitter in these times.
    next: next.map((time) => time.toISOString()),
    runs: await Promise.all(recent.map(async (each) => await runOf(client, each))),
  };
}

async function runOf(client: Client, { action, scheduledAt }: ScheduleExecutionResult) {
  const { workflowId, firstExecutionRunId: runId } = action.workflow;
  const handle = client.workflow.getHandle(workflowId, runId);
  const status = await handle.describe().then(
    (run): string => run.status.name,
    (error: unknown) => {
      if ((error as Error).name === 'WorkflowNotFoundError') return 'EXPIRED';
      throw error;
    },
  );
  return { workflowId, runId, scheduledAt: scheduledAt.toISOString(), status };
}

const STATES = {
  applied: '',
  'by-hand': ' (changed by hand since the last apply)',
  foreign: ' (not made by longhaul schedule apply)',
} as const;

export function schedulesText(schedules: readonly ScheduleSummary[]): string {
  if (schedules.length === 0) return 'No schedules: `longhaul schedule apply` makes them.';
  return schedules.map((each) => scheduleLines(each).join('\n')).join('\n\n');
}

function scheduleLines(schedule: ScheduleSummary): string[] {
  const { dataset, when, timeZone, paused, note, state, next, runs } = schedule;
  // Temporal also knows zones that Node does not: `Local`, for example.
  const zone = isTimeZone(timeZone) ? timeZone : 'UTC';
  const at = (time: string): string => momentText(new Date(time), zone);
  const lines = [`${dataset}: ${printable(when)}, ${printable(timeZone)}${STATES[state]}`];
  if (paused) lines.push(`  paused: ${printable(note ?? 'without a note')}`);
  else {
    if (note !== undefined) lines.push(`  note: ${printable(note)}`);
    lines.push(`  next: ${next.map(at).join(', ')}`);
  }
  const rows = runs.map((run) => [at(run.scheduledAt), run.status.toLowerCase(), run.workflowId]);
  return [
    ...lines,
    rows.length === 0 ? '  no runs yet' : tableText(['due', 'status', 'run'], rows),
  ];
}

type Named = Awaited<ReturnType<typeof scheduleNamed>>;

/** The flags of the commands on one schedule. Each command has some of them. */
interface OneFlags extends Flags {
  note?: string;
  from?: string;
  to?: string;
}

/** Acts on the schedule of one dataset. @returns the fields of the JSON, and the `text` for the user. */
type Act = (found: Named, flags: OneFlags) => Promise<{ text: string }>;

function ofOne(context: CliContext, command: Command, lines: readonly string[], act: Act): Command {
  const described = examples(command.argument('<dataset>', 'whose schedule'), lines);
  return described.action(async (dataset: string, flags: OneFlags) => {
    await withTemporal(context, { worker: false }, async ({ client }) => {
      const found = await scheduleNamed(client, dataset);
      const { text, ...done } = await act(found, flags);
      const value = { dataset, scheduleId: found.scheduleId, ...done };
      await print(context, flags, value, () => text);
    });
  });
}

const NOTE = ['--note <text>', 'why; the Web UI and `schedule list` show it'] as const;

function pauseCommand(context: CliContext): Command {
  const command = new Command('pause')
    .summary('pause a schedule')
    .description('Starts nothing more until it is resumed. A run under way goes on.')
    .option(...NOTE);
  const lines = ['schedule pause denver-311 --note "the portal moves this week"'];
  return ofOne(context, command, lines, async ({ handle, dataset }, flags) => {
    const { note = 'Paused by longhaul schedule pause.' } = flags;
    await handle.pause(note);
    return { paused: true, note, text: `Paused ${dataset}: ${note}` };
  });
}

function resumeCommand(context: CliContext): Command {
  const command = new Command('resume')
    .summary('resume a paused schedule')
    .description(
      'Goes on at the next time that is due. What was due meanwhile is for `schedule backfill`.',
    )
    .option(...NOTE);
  const lines = ['schedule resume denver-311', 'schedule resume denver-311 --note "address fixed"'];
  return ofOne(context, command, lines, async ({ handle, dataset }, flags) => {
    const { note = 'Resumed by longhaul schedule resume.' } = flags;
    await handle.unpause(note);
    return { paused: false, note, text: `Resumed ${dataset}: ${note}` };
  });
}

function triggerCommand(context: CliContext): Command {
  const command = new Command('trigger')
    .summary('run a schedule now')
    .description('Starts what the schedule starts, as if it were due now: the run of today.');
  const lines = ['schedule trigger denver-311'];
  return ofOne(context, command, lines, async ({ handle, dataset, description }) => {
    await handle.trigger('ALLOW_ALL');
    const ingestDate = ingestDateAt(new Date(), timeZoneOf(description));
    const text = `Triggered: longhaul show --follow ${dataset}/${ingestDate}`;
    return { triggered: true, ingestDate, text };
  });
}

function removeCommand(context: CliContext): Command {
  const command = new Command('remove')
    .summary('delete a schedule')
    .description(
      'Deletes the schedule of a dataset. Runs under way go on; what is published stays.',
    );
  const lines = ['schedule remove denver-311'];
  return ofOne(context, command, lines, async ({ handle, dataset, scheduleId }) => {
    await handle.delete();
    const comesBack = context.loadConfig().schedules.has(dataset)
      ? ' The next apply makes it again, unless datasets.yaml says schedule: false.'
      : '';
    return { removed: true, text: `Removed ${scheduleId}.${comesBack}` };
  });
}

function backfillCommand(context: CliContext): Command {
  const command = new Command('backfill')
    .summary('make up for past days')
    .description(
      'Starts what was due on past days, for addresses that have the date in them ({date} in datasets.yaml). ' +
        'Refused for a source that has only its version of today. Backfilled days have a slot of their own, ' +
        'so that they do not delay the daily run.',
    )
    .requiredOption('--from <YYYY-MM-DD>', 'first ingest date')
    .requiredOption('--to <YYYY-MM-DD>', 'last ingest date')
    // The CLI checks the days before it connects to Temporal.
    .hook('preAction', (_, it) => void daysOf(it.opts()));
  const lines = ['schedule backfill trips --from 2026-11-01 --to 2026-11-20'];
  return ofOne(context, command, lines, async (found, flags) => {
    const { from, to, days } = daysOf(flags);
    await backfill(found, from, to);
    const text = `Backfilling ${days} day${days === 1 ? '' : 's'}: longhaul schedule list, longhaul runs`;
    return { from, to, days, text };
  });
}

/** Temporal starts the runs of all these days at once. The workers' backfill slots take them in turn. */
const MAX_DAYS = 366;
const MS_PER_DAY = 86_400_000;

function daysOf(flags: OneFlags) {
  const from = parseIngestDate(flags.from ?? '');
  const to = parseIngestDate(flags.to ?? '');
  const days = (Date.parse(to) - Date.parse(from)) / MS_PER_DAY + 1;
  if (days < 1) throw new LonghaulError('USAGE', `--from ${from} is after --to ${to}.`);
  if (days <= MAX_DAYS) return { from, to, days };
  throw new LonghaulError('USAGE', `${days} days at once; at most ${MAX_DAYS}.`);
}

async function backfill(
  { handle, description }: Named,
  first: string,
  last: string,
): Promise<void> {
  const now = new Date();
  const timeZone = timeZoneOf(description);
  assertDayHasCome({ timeZone }, last, now);
  const start = startOfDay(first, timeZone);
  const { run, catchupMs = 0 } = inputOf(description);
  if (run && isTooOld(start, now, catchupMs)) assertHasPastDays(run.spec, first);
  const dayAfter = new Date(Date.parse(last) + MS_PER_DAY).toISOString().slice(0, 10);
  const end = startOfDay(dayAfter, timeZone);
  await handle.backfill({
    // Temporal excludes the start and includes the end.
    start: new Date(start.getTime() - 1),
    end: new Date(Math.min(end.getTime() - 1, now.getTime())),
    // Temporal must not skip today's run because a run of a past day is under way.
    overlap: 'ALLOW_ALL',
  });
}

function timeZoneOf(description: Named['description']): string {
  return inputOf(description).run?.spec.timeZone ?? 'UTC';
}
