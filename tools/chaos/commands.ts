import { spawn } from 'node:child_process';
import { mkdirSync, openSync, closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

/** The CLI as it is published. */
const CLI = resolve(import.meta.dirname, '../../dist/cli/main.js');

export interface Ended {
  /** The exit code, the signal's name, or `endless` if the command had to be killed after the limit. */
  code: number | string;
  /** The error's code, or the end of the output if it has none. */
  message: string;
  /** Every error code in the output. */
  codes: string[];
  /** The file with the whole output. */
  log: string;
}

/** Runs commands as a user does, one after the other, against one lake. */
export class Commands {
  readonly #folder: string;
  readonly #env: Record<string, string>;
  #count = 0;

  constructor(folder: string, env: Record<string, string>) {
    this.#folder = folder;
    mkdirSync(join(folder, 'logs'), { recursive: true });
    const inherited = ['PATH', 'HOME', 'TEMPORAL_CLI', 'DUCKDB_HTTPFS'].flatMap((key) =>
      process.env[key] === undefined ? [] : [[key, process.env[key]] as const],
    );
    this.#env = {
      ...Object.fromEntries(inherited),
      LAKE: join(folder, 'data'),
      STATE_DIR: join(folder, 'data', '.longhaul'),
      DATASETS_FILE: join(folder, 'datasets.yaml'),
      TMPDIR: join(folder, 'tmp'),
      // Short, so that a storm of some seconds includes the reaction to a lost worker or a silent publisher.
      HEARTBEAT_TIMEOUT_SECONDS: '2',
      HTTP_STALL_TIMEOUT_SECONDS: '2',
      SOURCE_RETRY_MINUTES: '5',
      NO_COLOR: '1',
      ...env,
    };
  }

  async run(args: readonly string[], limitMs: number): Promise<Ended> {
    const name = `${String((this.#count += 1)).padStart(2, '0')}-${args[0]}`;
    const log = join(this.#folder, 'logs', `${name}.txt`);
    const output = openSync(log, 'a');
    const child = spawn(process.execPath, [CLI, ...args], {
      cwd: this.#folder,
      env: this.#env,
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    let isEndless = false;
    const timer = setTimeout(() => {
      isEndless = true;
      child.kill('SIGKILL');
    }, limitMs);
    const code = await new Promise<number | string>((resolveEnd, reject) => {
      child.once('error', reject);
      child.once('exit', (exitCode, signal) => resolveEnd(exitCode ?? signal ?? 'ended'));
    });
    clearTimeout(timer);
    const text = await readFile(log, 'utf8');
    const message = /"code": ?"(\w+)"/.exec(text)?.[1] ?? text.trim().slice(-200);
    const codes = text.match(/\b[A-Z]+(?:_[A-Z]+)+\b|\bINTERNAL\b/g) ?? [];
    return { code: isEndless ? 'endless' : code, message, codes, log };
  }
}
