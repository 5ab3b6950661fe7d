import { Command, CommanderError } from 'commander';
import { ERROR_CLASSES } from '../model/error-catalogue.ts';
import { LonghaulError } from '../model/errors.ts';
import { addCommand } from './commands/add.ts';
import { catalogCommand } from './commands/catalog.ts';
import { doctorCommand } from './commands/doctor.ts';
import { datasetsCommand } from './commands/datasets.ts';
import { convertCommand, ingestCommand, landCommand, retryCommand } from './commands/ingest.ts';
import { initCommand } from './commands/init.ts';
import { inspectCommand } from './commands/inspect.ts';
import { queryCommand } from './commands/query.ts';
import { scheduleCommand } from './commands/schedule.ts';
import { cancelCommand, runsCommand } from './commands/runs.ts';
import { showCommand } from './commands/show.ts';
import { statusCommand } from './commands/status.ts';
import { sweepCommand } from './commands/sweep.ts';
import { tableCommand } from './commands/table.ts';
import { downCommand, upCommand } from './commands/up-down.ts';
import { unpublishCommand } from './commands/unpublish.ts';
import { verifyCommand } from './commands/verify.ts';
import { hostCommand, workerCommand } from './commands/worker.ts';
import { printable } from '../model/names.ts';
import { examples, type CliContext } from './command.ts';
import { asLonghaulError, tellError } from './errors.ts';

/** Runs one command line. It prints every error and never throws. @returns the exit code. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  let exitCode = 0;
  const program = buildProgram({ ...context, setExitCode: (code) => (exitCode = code) });
  try {
    if (argv.length === 0) program.help();
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    const error =
      thrown instanceof CommanderError ? ofUsage(thrown, argv, program) : asLonghaulError(thrown);
    return await tellError(argv, error, context);
  }
}

function ofUsage(
  { code, message }: CommanderError,
  argv: readonly string[],
  program: Command,
): LonghaulError {
  // The user named a command group without one of its commands, and commander has printed its help.
  const sentences = code === 'commander.help' ? 'One of its commands must follow' : message;
  const text = sentences.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
  const command = program.commands.find((each) => argv.includes(each.name()))?.name();
  const hint = `longhaul ${command === undefined ? '' : `${command} `}--help has examples.`;
  const sentence = /[.?)]$/.test(text) ? text : `${text}.`;
  return new LonghaulError('USAGE', sentence.charAt(0).toUpperCase() + sentence.slice(1), { hint });
}

/** Builds the tree of all commands. It has no side effect and loads no large module, so that --help is quick. */
export function buildProgram(outer: CliContext): Command {
  const program = new Command('longhaul')
    .description(
      'Turns CSV files too big for memory into a queryable, dated Parquet lake: durably, and proven to the last row.',
    )
    .version(outer.version)
    .option(
      '--lake <address>',
      'the lake: a folder, or s3://bucket/prefix (default: LAKE of .env, else data)',
    )
    .helpCommand(false)
    .addHelpText('after', `\n${afterHelp()}`);
  const context = withLake(outer, () => program.opts<{ lake?: string }>().lake);
  for (const [heading, commands] of Object.entries(GROUPS)) {
    program.commandsGroup(heading);
    for (const command of commands) program.addCommand(command(context));
  }
  program.commandsGroup('Help:');
  program.addCommand(helpCommand(program));
  program.addCommand(hostCommand(context), { hidden: true });
  const nested = program.commands.flatMap((command) => command.commands);
  for (const command of [program, ...program.commands, ...nested]) {
    // The caller prints errors, as text or as JSON.
    command.exitOverride().configureOutput({ outputError: () => undefined });
    command.showSuggestionAfterError().configureHelp({ showGlobalOptions: true });
    if (hasJson(command)) command.option('--json', JSON_TEXT);
  }
  return program;
}

const JSON_TEXT = 'print one JSON object on standard output and nothing else';

/** `query` has its own text for --json, because it prints an array. */
function hasJson(command: Command): boolean {
  return !['longhaul', 'catalog', 'schedule', 'query', 'worker', 'help', '__host'].includes(
    command.name(),
  );
}

/** Adds the value of --lake to the context. Commands read it after commander has parsed the command line. */
function withLake(context: CliContext, given: () => string | undefined): CliContext {
  return {
    ...context,
    loadConfig: () => context.loadConfig(given()),
    get lakeFlag() {
      const lake = given();
      if (lake === undefined) return '';
      return ` --lake ${/^[\w.:/=-]+$/.test(lake) ? lake : JSON.stringify(lake)}`;
    },
  };
}

const GROUPS = {
  'Begin:': [initCommand, addCommand, inspectCommand],
  'Load:': [ingestCommand, landCommand, convertCommand, retryCommand],
  'Look:': [
    datasetsCommand,
    statusCommand,
    queryCommand,
    tableCommand,
    catalogCommand,
    verifyCommand,
  ],
  'Runs:': [runsCommand, showCommand, cancelCommand],
  'Every day:': [scheduleCommand],
  'Clean up:': [unpublishCommand, sweepCommand],
  'Check:': [doctorCommand],
  'Temporal:': [upCommand, downCommand, workerCommand],
};

function afterHelp(): string {
  const codes = Object.entries(ERROR_CLASSES).map(([name, { exitCode }]) => `${exitCode} ${name}`);
  return [
    'Examples:',
    '  $ longhaul add https://example.com/trees.csv',
    '  $ longhaul ingest denver-311',
    '  $ longhaul query "SELECT source, count(*) FROM denver_311 GROUP BY source"',
    '  $ longhaul up',
    '',
    `Exit codes: 0 done, ${codes.join(', ')}`,
    'Settings: .env and datasets.yaml in this folder; the environment wins. See docs/configuration.md.',
  ].join('\n');
}

/** `longhaul help <command>`, which many users try before --help. */
function helpCommand(program: Command): Command {
  const command = new Command('help')
    .summary('explain a command, or list all')
    .description('Prints what `<command> --help` prints.')
    .argument('[command...]', 'a command, and one of its own')
    .action((words: string[]) => {
      let found = program;
      for (const word of words) found = named(found, word);
      found.outputHelp();
    });
  return examples(command, ['help', 'help ingest', 'help schedule backfill']);
}

function named(parent: Command, word: string): Command {
  const found = parent.commands.find((each) => each.name() === word);
  if (found) return found;
  const names = parent
    .createHelp()
    .visibleCommands(parent)
    .map((each) => each.name());
  const known = names.length === 0 ? '' : `; there are ${names.join(', ')}`;
  throw new LonghaulError('USAGE', `There is no command ${printable(word)}${known}.`, {
    hint: 'longhaul --help lists all commands.',
  });
}
