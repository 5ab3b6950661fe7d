import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { storageError } from './disk-errors.ts';

export interface TemporaryFolder {
  folder: string;
  close(): Promise<void>;
}

/**
 * A folder that only this process uses, in the system's folder for temporary files (TMPDIR).
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE.
 */
export async function openTemporaryFolder(): Promise<TemporaryFolder> {
  const folder = await temporaryPath();
  await mkdir(folder, { mode: PRIVATE }).catch((error: unknown) => {
    throw storageError(error, folder);
  });
  return { folder, close: async () => await rm(folder, { recursive: true, force: true }) };
}

/** Path of a folder that another program may make, and that this process removes. */
export async function temporaryPath(): Promise<string> {
  const place = tmpdir();
  await removeAbandoned(place);
  return join(place, `${ownersPrefix()}${process.pid}-${randomUUID()}`);
}

/** The folder is private, because every user can read TMPDIR. */
const PRIVATE = 0o700;

/** A killed process cannot remove its own folders, and no sweep covers TMPDIR. The next process removes them. */
async function removeAbandoned(folder: string): Promise<void> {
  const prefix = ownersPrefix();
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = name.startsWith(prefix) ? /^\d+/.exec(name.slice(prefix.length))?.[0] : undefined;
    if (pid === undefined || isAlive(Number(pid))) continue;
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** For this host only: hosts or containers that share a TMPDIR cannot see whether another's processes live. */
function ownersPrefix(): string {
  return `longhaul-scratch-${hostname().replaceAll(/[^\w.-]/g, '_')}-`;
}

/** If a later process has the same pid, the folder only stays longer. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
