import { constants } from 'node:fs';
import { access, chmod, link, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** From src/programs and from dist/programs alike. */
export const PACKAGE_ROOT = resolve(import.meta.dirname, '../..');

/** About 100 MB over a slow line, or a build on a slow machine. */
export const FETCH_TIMEOUT_MS = 15 * 60_000;

/** `.tools` beside this package's package.json. */
export function packageToolsDir(): string {
  return join(PACKAGE_ROOT, '.tools');
}

/** The first of the paths whose folder is there, or can be made, and can be written. */
export async function firstWritable(
  paths: readonly string[],
  tried: string[],
): Promise<string | undefined> {
  for (const path of paths) {
    const folder = dirname(path);
    try {
      await mkdir(folder, { recursive: true });
      await access(folder, constants.W_OK);
      return path;
    } catch {
      tried.push(`${folder} cannot be written`);
    }
  }
  return undefined;
}

/**
 * Puts a file at `path`, whole or not at all: it is made in a scratch folder on the same disk, and linked into
 * place. Two at once do the work twice, and the first one's file stays.
 * @param make fills the scratch folder. @returns the file in it that is wanted.
 */
export async function makeWhole(
  path: string,
  make: (scratch: string) => Promise<string>,
): Promise<void> {
  await removeAbandoned(dirname(path));
  const scratch = await mkdtemp(join(dirname(path), SCRATCH_PREFIX));
  try {
    const file = await make(scratch);
    await chmod(file, 0o755);
    await link(file, path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/**
 * The same for a folder: it is made beside its place, and renamed. Of two at once, the first one's stays.
 * @param make fills the scratch folder. @returns the folder in it that is wanted.
 */
export async function makeFolderWhole(
  path: string,
  make: (scratch: string) => Promise<string>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await removeAbandoned(dirname(path));
  const scratch = await mkdtemp(join(dirname(path), SCRATCH_PREFIX));
  try {
    await rename(await make(scratch), path).catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What a killed process left: up to hundreds of MB a time. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(SCRATCH_PREFIX)) continue;
    const path = join(folder, name);
    const ageMs = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
    // Each of the steps of a fetch that is under way may take its whole time.
    if (ageMs > 2 * FETCH_TIMEOUT_MS) await rm(path, { recursive: true, force: true });
  }
}

const SCRATCH_PREFIX = '.fetching-';
