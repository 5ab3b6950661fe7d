import type { Config } from '../config/load-config.ts';
import { printable } from '../model/names.ts';

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
