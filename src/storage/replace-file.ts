import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { storageError } from './disk-errors.ts';

/**
 * Readers see the old text or the new, never a part, after a loss of power too.
 * @param mode of the new file.
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE.
 */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw storageError(error, path);
  }
}
