import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pipInstall } from '../../src/programs/pypi.ts';
import { makeFolderWhole, packageToolsDir } from '../../src/programs/tools-folder.ts';

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
    return await pipInstall(['--requirement', REQUIREMENTS], scratch);
  });
  return folder;
}
