import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  FETCH_TIMEOUT_MS,
  makeFolderWhole,
  packageToolsDir,
} from '../src/programs/tools-folder.ts';

const run = promisify(execFile);

const REQUIREMENTS = fileURLToPath(new URL('moto-requirements.txt', import.meta.url));
const HASH_LENGTH = 16;

/** Moto, an emulator of AWS in Python, with what it needs, at pinned versions. @returns its PYTHONPATH. */
export async function fetchMoto(onNote?: (note: string) => void): Promise<string> {
  const pins = await readFile(REQUIREMENTS);
  const hash = createHash('sha256').update(pins).digest('hex').slice(0, HASH_LENGTH);
  const folder = join(packageToolsDir(), `moto-${hash}`);
  if (existsSync(folder)) return folder;
  onNote?.('Fetching moto (140 MB)');
  await makeFolderWhole(folder, async (scratch) => {
    const venv = join(scratch, 'venv');
    const target = join(scratch, 'packages');
    const limits = { timeout: FETCH_TIMEOUT_MS };
    await run('python3', ['-m', 'venv', venv], limits);
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--disable-pip-version-check'];
    const what = ['--target', target, '--requirement', REQUIREMENTS];
    await run(join(venv, 'bin', 'python3'), [...pip, ...what], limits);
    return target;
  });
  return folder;
}
