import { randomUUID } from 'node:crypto';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { storageError } from './disk-errors.ts';

/**
 * Replaces a file. Readers see the old text or the new one, never a part, even after a loss of power.
 * @param mode of the new file.
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE.
 */
export async function replaceFile(
  path: string,
  body: string | Uint8Array,
  mode: number,
): Promise<void> {
  const temporary = await writeAside(path, body, mode);
  try {
    await rename(temporary, path);
    await syncPath(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw storageError(error, path);
  }
}

/** Writes the file's new content durably. @returns its temporary name in the same folder. */
export async function writeAside(
  path: string,
  body: string | Uint8Array,
  mode: number,
): Promise<string> {
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, body, { flag: 'wx', mode, flush: true });
    return temporary;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw storageError(error, path);
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
