import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import type { CliContext } from '../../src/cli/command.ts';
import { runCli } from '../../src/cli/program.ts';

export interface Ran {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** A folder in which a user runs commands. They run in the process of the test. */
export class Workplace {
  readonly cwd = mkdtempSync(join(tmpdir(), 'longhaul-cli-'));

  readonly #env: Record<string, string>;

  constructor(files: Record<string, string> = {}, env: Record<string, string> = {}) {
    this.#env = env;
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.cwd, name), text);
  }

  async run(...argv: string[]): Promise<Ran> {
    let stdout = '';
    let stderr = '';
    const context = contextOf({
      loadConfig: (lake) => loadConfig({ env: this.#env, cwd: this.cwd, lake }),
      out: async (text) => void (stdout += text),
      note: (text) => void (stderr += `${text}\n`),
    });
    return { exitCode: await runCli(argv, context), stdout, stderr };
  }

  remove(): void {
    rmSync(this.cwd, { recursive: true, force: true });
  }
}

/** A workplace that is removed when the test, or the test file, that made it ends. */
export function workplace(
  files: Record<string, string> = {},
  env: Record<string, string> = {},
): Workplace {
  const place = new Workplace(files, env);
  after(() => place.remove());
  return place;
}

export function contextOf(parts: Partial<CliContext> = {}): CliContext {
  return {
    version: '0.0.0',
    entry: 'none',
    lakeFlag: '',
    loadConfig: () => {
      throw new Error('No settings here.');
    },
    out: async () => undefined,
    note: () => undefined,
    interactive: false,
    outIsTerminal: false,
    width: 80,
    setExitCode: () => undefined,
    ...parts,
  };
}
