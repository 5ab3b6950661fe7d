import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Config } from '../config/load-config.ts';
import type { Engine } from '../model/dataset.ts';
import { exitCodeOf, LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { parseAge } from '../model/sweep.ts';

/** The environment of a command. The caller passes it in, so that building the program has no side effect. */
export interface CliContext {
  readonly version: string;
  /** Path of the module that Node runs as this program. The CLI starts the embedded host with it. */
  readonly entry: string;
  /** @param lake value of --lake. Commands omit it, because `buildProgram` adds it. */
  loadConfig(lake?: string): Config;
  /** ` --lake <address>` if the user gave it, else ''. It goes into the commands that the CLI proposes. */
  readonly lakeFlag: string;
  /** Writes the result, and nothing else, to standard output. Resolves when the stream takes more text. */
  readonly out: (text: string) => Promise<void>;
  /** Writes progress and notes to standard error. */
  readonly note: (text: string) => void;
  /** True if standard error is a terminal, so that the CLI may draw over earlier progress. */
  readonly interactive: boolean;
  /** True if standard output is a terminal. The CLI then shows a publisher's control characters as escapes. */
  readonly outIsTerminal: boolean;
  readonly width: number;
  /** Sets the exit code if the result itself reports a failure, for example of one of several datasets. */
  setExitCode(code: number): void;
}

/**
 * Prints the result as one JSON object or as text for the user. In JSON, `printable` uses JSON's own escapes: the value
 * stays the same, and a publisher's text cannot move the cursor of a terminal.
 */
export async function print(
  context: CliContext,
  { json }: { json?: boolean | undefined },
  value: object,
  text: () => string,
): Promise<void> {
  await context.out(json ? `${printable(JSON.stringify(value))}\n` : `${text()}\n`);
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * While `work` runs, the first Ctrl-C aborts its signal, so that the work can clean up. The second Ctrl-C ends the
 * process at once.
 * @param what name of work that changes nothing. If the first Ctrl-C ends it, the error says "<what> was cancelled".
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  what?: string,
): Promise<T> {
  const interrupt = new AbortController();
  const onSignal = (): void => {
    if (interrupt.signal.aborted) process.exit(exitCodeOf('CANCELLED'));
    interrupt.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    return await work(interrupt.signal);
  } catch (error) {
    if (what === undefined || !interrupt.signal.aborted) throw error;
    const hint = 'Nothing was changed; run the command again.';
    throw new LonghaulError('CANCELLED', `${what} was cancelled.`, { hint });
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal);
  }
}

export interface Flags {
  json?: boolean;
  /** The date as the user typed it. */
  date?: string;
  engine?: Engine;
  name?: string;
}

export function examples(command: Command, lines: readonly string[]): Command {
  const text = lines.map((line) => `  $ longhaul ${line}`).join('\n');
  return command.addHelpText('after', `\nExamples:\n${text}`);
}

/** An option with an age: the user types `90m`, and the command gets milliseconds. */
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
