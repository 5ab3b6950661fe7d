import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { storageError } from './disk-errors.ts';

/**
 * Readers see the old text or the new, never a part, after a loss of power too.
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
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw storageError(error, path);
  }
  await syncFolder(dirname(path));
}

/** Writes what is to become the file, durably. @returns its temporary name in the same folder. */
export async function writeAside(
  path: string,
  body: string | Uint8Array,
  mode: number,
): Promise<string> {
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(body);
      await file.sync();
    } finally {
      await file.close();
    }
    return temporary;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw storageError(error, path);
  }
}

/** Makes a new name in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
