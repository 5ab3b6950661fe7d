import { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { ApplyFlags } from '../schedule/apply.ts';
import type { BackfillFlags } from '../schedule/control.ts';
import { examples, withJson, withTarget } from './options.ts';

export function scheduleCommand(context: CliContext): Command {
  const command = new Command('schedule')
    .summary('daily runs: make, list, pause, trigger, backfill')
    .description(
      'The schedules of datasets.yaml on the Temporal server. Every dataset has one, daily at 06:00 in its time ' +
        'zone, unless the file says otherwise; nothing runs before `apply`. docs/schedules.md is the guide.',
    )
    .helpCommand(false);
  for (const each of [
    applyCommand(context),
    listCommand(context),
    pauseCommand(context),
    resumeCommand(context),
    triggerCommand(context),
    backfillCommand(context),
    removeCommand(context),
  ]) {
    command.addCommand(each);
  }
  return examples(command, ['schedule apply --dry-run', 'schedule apply', 'schedule list']);
}

function applyCommand(context: CliContext): Command {
  const command = new Command('apply')
    .summary('make the server equal to datasets.yaml')
    .description(
      'Creates, updates and deletes schedules until the server has what datasets.yaml says, and prints the ' +
        'difference. Only schedules that this command made are touched. One that somebody changed in the Web UI ' +
        'is shown and left alone (exit code 8), unless --force. Pauses stay.',
    )
    .option('--dry-run', 'change nothing, and show what would change')
    .option('--force', 'also where somebody else changed a schedule since the last apply');
  withJson(withTarget(command)).action(async (flags: ApplyFlags) => {
    const { applySchedules } = await import('../schedule/apply.ts');
    await applySchedules(context, flags);
  });
  return examples(command, [
    'schedule apply --dry-run',
    'schedule apply',
    'schedule apply --target s3 --json',
  ]);
}

function listCommand(context: CliContext): Command {
  const command = new Command('list')
    .summary('next times, last runs, pauses and their notes')
    .description(
      'Shows each schedule: when, the next five times, its last five runs and their outcome.',
    );
  withJson(command).action(async (flags: { json?: boolean }) => {
    const { listSchedules } = await import('../schedule/list.ts');
    await listSchedules(context, flags);
  });
  return examples(command, ['schedule list', 'schedule list --json']);
}

function pauseCommand(context: CliContext): Command {
  const command = new Command('pause')
    .summary('pause a schedule')
    .description('Starts nothing more until it is resumed. A run under way goes on.')
    .argument('<dataset>', 'whose schedule')
    .option('--note <text>', 'why, for whoever looks at it');
  withJson(command).action(async (dataset: string, flags: { note?: string; json?: boolean }) => {
    const { pauseSchedule } = await import('../schedule/control.ts');
    await pauseSchedule(context, dataset, flags);
  });
  return examples(command, ['schedule pause denver-311 --note "the portal moves this week"']);
}

function resumeCommand(context: CliContext): Command {
  const command = new Command('resume')
    .summary('resume a paused schedule')
    .description(
      'Goes on at the next time that is due. What was due meanwhile is for `schedule backfill`.',
    )
    .argument('<dataset>', 'whose schedule')
    .option('--note <text>', 'why, for whoever looks at it');
  withJson(command).action(async (dataset: string, flags: { note?: string; json?: boolean }) => {
    const { resumeSchedule } = await import('../schedule/control.ts');
    await resumeSchedule(context, dataset, flags);
  });
  return examples(command, [
    'schedule resume denver-311',
    'schedule resume denver-311 --note "address mended"',
  ]);
}

function triggerCommand(context: CliContext): Command {
  const command = new Command('trigger')
    .summary('run a schedule now')
    .description('Starts what the schedule starts, as if it were due now: the run of today.')
    .argument('<dataset>', 'whose schedule');
  withJson(command).action(async (dataset: string, flags: { json?: boolean }) => {
    const { triggerSchedule } = await import('../schedule/control.ts');
    await triggerSchedule(context, dataset, flags);
  });
  return examples(command, ['schedule trigger denver-311']);
}

function backfillCommand(context: CliContext): Command {
  const command = new Command('backfill')
    .summary('make up for past days')
    .description(
      'Starts what was due on past days, for addresses that have the date in them ({date} in datasets.yaml). ' +
        'Refused for a source that has only its version of today. Backfilled days have a slot of their own, ' +
        'so that they do not delay the daily run.',
    )
    .argument('<dataset>', 'whose schedule')
    .requiredOption('--from <YYYY-MM-DD>', 'first ingest date')
    .requiredOption('--to <YYYY-MM-DD>', 'last ingest date');
  withJson(command).action(async (dataset: string, flags: BackfillFlags) => {
    const { backfillSchedule } = await import('../schedule/control.ts');
    await backfillSchedule(context, dataset, flags);
  });
  return examples(command, ['schedule backfill trips --from 2026-11-01 --to 2026-11-20']);
}

function removeCommand(context: CliContext): Command {
  const command = new Command('remove')
    .summary('delete a schedule')
    .description(
      'Deletes the schedule of a dataset. Runs under way go on; what is published stays.',
    )
    .argument('<dataset>', 'whose schedule');
  withJson(command).action(async (dataset: string, flags: { json?: boolean }) => {
    const { removeSchedule } = await import('../schedule/apply.ts');
    await removeSchedule(context, dataset, flags);
  });
  return examples(command, ['schedule remove denver-311']);
}
