import { InvalidArgumentError, Option, type Command } from 'commander';
import { ENGINES, type Engine } from '../../model/dataset.ts';
import { parseAge } from '../../model/sweep.ts';

/** What the options that several commands share give: described once, below. */
export interface Flags {
  json?: boolean;
  /** As typed. */
  date?: string;
  engine?: Engine;
  name?: string;
}

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

export function withName(command: Command): Command {
  return command.option('--name <name>', 'name of the dataset that a URL or file becomes');
}

export function examples(command: Command, lines: readonly string[]): Command {
  const text = lines.map((line) => `  $ longhaul ${line}`).join('\n');
  return command.addHelpText('after', `\nExamples:\n${text}`);
}

/** Milliseconds to the command, `90m` to people. */
export function ageOption(flags: string, text: string, fallback?: string): Option {
  const age = (given: string): number => {
    const ageMs = parseAge(given);
    if (ageMs !== undefined) return ageMs;
    throw new InvalidArgumentError('It must be minutes, hours or days (90m, 3h, 1d), or 0.');
  };
  const option = new Option(flags, text).argParser(age);
  return fallback === undefined ? option : option.default(age(fallback), fallback);
}

export function positiveCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number over 0.');
}
