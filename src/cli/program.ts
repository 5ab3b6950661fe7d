import { Command } from 'commander';
import { ERROR_CLASSES } from '../model/errors.ts';
import { doctorCommand } from './commands/doctor.ts';
import { datasetsCommand } from './commands/datasets.ts';
import { helpCommand } from './commands/help.ts';
import { hostCommand } from './commands/host.ts';
import { convertCommand, ingestCommand, landCommand } from './commands/ingest.ts';
import { queryCommand } from './commands/query.ts';
import { retryCommand } from './commands/retry.ts';
import { scheduleCommand } from './commands/schedule.ts';
import { cancelCommand, runsCommand, showCommand } from './commands/runs.ts';
import { statusCommand } from './commands/status.ts';
import { sweepCommand } from './commands/sweep.ts';
import { downCommand, upCommand } from './commands/up-down.ts';
import { verifyCommand } from './commands/verify.ts';
import { workerCommand } from './commands/worker.ts';
import type { CliContext } from './context.ts';

/** The tree of all commands. Building it has no effect, and loads nothing heavy: --help is quick. */
export function buildProgram(context: CliContext): Command {
  const program = new Command('longhaul')
    .description(
      'Turns CSV files too big for memory into a queryable, dated Parquet lake: durably, and proven to the last row.',
    )
    .version(context.version)
    .helpCommand(false)
    .addHelpText('after', `\n${afterHelp()}`);
  for (const [heading, commands] of groupsOf(context)) {
    program.commandsGroup(heading);
    for (const command of commands) program.addCommand(command);
  }
  program.commandsGroup('Help:');
  program.addCommand(helpCommand(program));
  program.addCommand(hostCommand(context), { hidden: true });
  for (const command of [program, ...program.commands].flatMap((each) => [
    each,
    ...each.commands,
  ])) {
    // The caller prints errors, as text or as JSON.
    command.exitOverride().configureOutput({ outputError: () => undefined });
    command.showSuggestionAfterError();
  }
  return program;
}

function groupsOf(context: CliContext): [heading: string, commands: Command[]][] {
  return [
    [
      'Load:',
      [
        ingestCommand(context),
        landCommand(context),
        convertCommand(context),
        retryCommand(context),
      ],
    ],
    [
      'Look:',
      [
        datasetsCommand(context),
        statusCommand(context),
        queryCommand(context),
        verifyCommand(context),
      ],
    ],
    ['Runs:', [runsCommand(context), showCommand(context), cancelCommand(context)]],
    ['Every day:', [scheduleCommand(context)]],
    ['Clean up:', [sweepCommand(context)]],
    ['Check:', [doctorCommand(context)]],
    ['Temporal:', [upCommand(context), downCommand(context), workerCommand(context)]],
  ];
}

function afterHelp(): string {
  const codes = Object.entries(ERROR_CLASSES).map(([name, { exitCode }]) => `${exitCode} ${name}`);
  return [
    'Examples:',
    '  $ longhaul ingest denver-311',
    '  $ longhaul query "SELECT source, count(*) FROM denver_311 GROUP BY source"',
    '  $ longhaul up',
    '',
    `Exit codes: 0 done, ${codes.join(', ')}`,
    'Settings: .env and datasets.yaml in this folder; the environment wins. See docs/configuration.md.',
  ].join('\n');
}
