import { InvalidArgumentError, Option, type Command } from 'commander';
import { ENGINES } from '../../model/dataset.ts';
import { TARGETS } from '../../model/run.ts';

/** Options that several commands share: described once. */
export function withJson(command: Command): Command {
  return command.option('--json', 'print one JSON object on standard output and nothing else');
}

export function withDate(command: Command): Command {
  return command.option(
    '--date <YYYY-MM-DD>',
    "ingest date (default: today in the dataset's time zone)",
  );
}

export function withEngine(command: Command): Command {
  const option = new Option('--engine <engine>', 'what converts (default: ENGINE of .env)');
  return command.addOption(option.choices(ENGINES));
}

export function withTarget(command: Command): Command {
  const option = new Option(
    '--target <target>',
    'the lake: in DATA_DIR, or in S3_BUCKET (default: LONGHAUL_TARGET of .env)',
  );
  return command.addOption(option.choices(TARGETS));
}

export function withName(command: Command): Command {
  return command.option('--name <name>', 'name of the dataset that a URL or file becomes');
}

export function examples(command: Command, lines: readonly string[]): Command {
  const text = lines.map((line) => `  $ longhaul ${line}`).join('\n');
  return command.addHelpText('after', `\nExamples:\n${text}`);
}

export function positiveCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number over 0.');
}
