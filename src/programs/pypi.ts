import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Installer } from './locate.ts';
import type { Pin } from './pins.ts';
import { FETCH_TIMEOUT_MS, makeWhole } from './tools-folder.ts';

const run = promisify(execFile);

/**
 * One file of a wheel, for this platform as pip sees it, by way of a virtual environment that is thrown away:
 * only the file stays.
 * @param file in the wheel as pip lays it out: `bin/<script>`, or below the package's folder.
 */
export function pypiInstaller({ name, version }: Pin, file: string): Installer {
  return {
    name: 'Python package',
    install: async (path, signal) => {
      await makeWhole(path, async (scratch) =>
        join(await pipInstall([`${name}==${version}`], scratch, signal), file),
      );
    },
  };
}

/**
 * Packages without what they need, by way of a virtual environment.
 * @param what as pip takes it.
 * @param scratch where all of it is made.
 * @returns the folder that pip laid them out in.
 */
export async function pipInstall(
  what: readonly string[],
  scratch: string,
  signal?: AbortSignal,
): Promise<string> {
  const limits = { timeout: FETCH_TIMEOUT_MS, signal };
  const venv = join(scratch, 'venv');
  const target = join(scratch, 'wheel');
  await run('python3', ['-m', 'venv', venv], limits);
  const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--disable-pip-version-check'];
  const wheel = ['--target', target, ...what];
  await run(join(venv, 'bin', 'python3'), [...pip, ...wheel], limits);
  return target;
}
