import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { storageError } from '../../storage/disk-errors.ts';
import type { Location } from '../../storage/location.ts';
import { openTemporaryFolder, type TemporaryFolder } from '../../storage/temporary-folder.ts';

/**
 * A folder on this machine for what an attempt needs besides its parts: on disk inside the attempt's scratch,
 * which is swept with its run and on the lake's file system; for S3 in the system's folder for temporary files (TMPDIR).
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE.
 */
export async function openScratch(output: Location): Promise<TemporaryFolder> {
  if (output.kind !== 'disk') return await openTemporaryFolder();
  const folder = await within(output.path);
  return { folder, close: async () => await rm(folder, { recursive: true, force: true }) };
}

async function within(path: string): Promise<string> {
  const folder = join(path, '.scratch');
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw storageError(error, folder);
  });
  return folder;
}
