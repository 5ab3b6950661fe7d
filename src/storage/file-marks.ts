import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { datedPattern } from '../model/dates.ts';

/**
 * The files that `file:` addresses may name. Every user who reaches the embedded Temporal can start a run with any
 * address, so a worker reads only files that the owner of the lake has named in a command. A mark is a file in the
 * owner's folder, `<sha256 of the real path>`, or `<sha256>.dated` for a path with the ingest date in it, for any day.
 */
export async function markFile(
  marks: string,
  path: string,
  { dated }: { dated: boolean },
): Promise<void> {
  const real = await realPathOf(path);
  await mkdir(marks, { recursive: true, mode: OWNER_ONLY });
  const ending = dated ? DATED : '';
  // Operators can read the content, and `isMarked` reads that of a dated path.
  await writeFile(join(marks, hashOf(real) + ending), real, { mode: 0o600 });
}

/** @param real a path from `realPathOf`. */
export async function isMarked(marks: string, real: string): Promise<boolean> {
  if (await isOwn(join(marks, hashOf(real)))) return true;
  const names = await readdir(marks).catch(() => []);
  for (const name of names.filter((each) => each.endsWith(DATED))) {
    const path = join(marks, name);
    if ((await isOwn(path)) && datedPattern(await readFile(path, 'utf8')).test(real)) return true;
  }
  return false;
}

/** The path without symlinks, as far as it exists: a file that does not exist yet, or of a later day, has one too. */
export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const folder = dirname(path);
    if (folder === path) throw error;
    return join(await realPathOf(folder), basename(path));
  }
}

const OWNER_ONLY = 0o700;
const DATED = '.dated';

/** A mark counts only if this user owns it, because another user could place it. */
async function isOwn(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found !== undefined && found.isFile() && found.uid === process.getuid?.();
}

function hashOf(real: string): string {
  return createHash('sha256').update(real).digest('hex');
}
