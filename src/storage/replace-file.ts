import { randomUUID } from 'node:crypto';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { storageError } from './disk-errors.ts';

/**
 * Replaces a file. Readers see the old text or the new one, never a part, even after a loss of power.
 * @param mode of the new file.
 * @param place gives the new content its name; by default it replaces what has the name.
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE; errors of `place`.
 */
export async function replaceFile(
  path: string,
  body: string | Uint8Array,
  mode: number,
  place = rename,
): Promise<void> {
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, body, { flag: 'wx', mode, flush: true });
    await place(temporary, path);
    await syncPath(dirname(path));
  } catch (error) {
    throw storageError(error, path);
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

/** Makes durable what was written before: a file's bytes, or a new name in a folder. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
