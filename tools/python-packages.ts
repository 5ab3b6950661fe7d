import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipInstall, makeWhole, packageToolsDir } from '../src/programs/tools-folder.ts';

const HASH_LENGTH = 16;

export interface PythonPackages {
  /** Name of the folder, also shown to the user. */
  name: string;
  /** Path of a file that pins the packages and all that they need. */
  requirements: string;
  /** Approximate size on the disk. */
  size: string;
}

/** Fetches the packages once, into `.tools/`. @returns their PYTHONPATH. */
export async function fetchPythonPackages(
  { name, requirements, size }: PythonPackages,
  onNote?: (note: string) => void,
): Promise<string> {
  const pins = await readFile(requirements);
  const hash = createHash('sha256').update(pins).digest('hex').slice(0, HASH_LENGTH);
  const folder = join(packageToolsDir(), `${name}-${hash}`);
  if (existsSync(folder)) return folder;
  onNote?.(`Fetching ${name} (${size})`);
  await makeWhole(folder, async (scratch) => {
    return await pipInstall(['--requirement', requirements], scratch);
  });
  return folder;
}
