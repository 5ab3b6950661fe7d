import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Config } from '../config/load-config.ts';
import type { Engine } from '../model/dataset.ts';
import { exitCodeOf, LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { parseAge } from '../model/sweep.ts';

/** What a command uses of its environment: passed in, so that building the program has no effect. */
export interface CliContext {
  /** The version of package.json. */
  readonly version: string;
  /** The module that Node runs to become this program: the embedded host is started with it. */
  readonly entry: string;
  /** @param lake what --lake says; a command has it already, and gives none. */
  loadConfig(lake?: string): Config;
  /** ` --lake <address>` as the command line has it, for commands that are proposed; else ''. */
  readonly lakeFlag: string;
  /** Standard output: the result, and nothing else. Resolves when there is room for more. */
  readonly out: (text: string) => Promise<void>;
  /** Standard error: progress and notes. */
  readonly note: (text: string) => void;
  /** Standard error is a terminal: progress may be drawn over. */
  readonly interactive: boolean;
  /** Standard output is a terminal: what publishers wrote is shown with its control characters visible. */
  readonly outIsTerminal: boolean;
  /** Columns of the terminal. */
  readonly width: number;
  /** Where the result itself says how it went (several datasets, one of which failed). */
  setExitCode(code: number): void;
}

/**
 * Prints the result: one JSON object, or text for people. In JSON, `printable` writes the same text with JSON's own escapes:
 * a terminal shows what publishers wrote, and is not moved by it.
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
 * While `work` goes on, the first Ctrl-C aborts its signal, so that it can end in order; the second one leaves
 * at once.
 * @param what changes nothing: where it ends because of the first, "what was cancelled" is the error.
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

/** What the options that several commands share give: described once, below. */
export interface Flags {
  json?: boolean;
  /** As typed. */
  date?: string;
  engine?: Engine;
  name?: string;
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
