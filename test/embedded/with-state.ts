import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stopEmbedded } from '../../src/embedded/host-link.ts';
import type { HostCommand } from '../../src/embedded/join.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { temporalProgram } from '../helpers/temporal.ts';
import { hostCommand } from './host-command.ts';

/**
 * The command of a host whose Temporal is a shell script in the state folder.
 * @param script gets the real Temporal, and is not asked for its version.
 */
export async function hostOfScript(
  stateDir: string,
  script: (real: string) => string,
): Promise<HostCommand> {
  await mkdir(stateDir, { recursive: true });
  const program = join(stateDir, 'temporal-script');
  const real = await temporalProgram();
  const start = `#!/bin/sh\n[ "$1" = --version ] && exec '${real}' --version\n`;
  await writeFile(program, start + script(real), { mode: 0o755 });
  return hostCommand(stateDir, 'temporal-cli', program);
}

/** Creates a state folder. Afterwards, stops every process that a test left running on it. */
export async function withState(body: (stateDir: string) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    const stateDir = join(folder, '.longhaul');
    try {
      await body(stateDir);
    } catch (error) {
      console.error(await readFile(join(stateDir, 'host.log'), 'utf8').catch(String));
      throw error;
    } finally {
      await stopEmbedded(stateDir, { force: true });
    }
  });
}
