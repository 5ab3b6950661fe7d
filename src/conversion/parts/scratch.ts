import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { storageError } from '../../storage/disk-store.ts';
import type { StoredPlace } from '../../storage/place.ts';

export interface Scratch {
  folder: string;
  close(): Promise<void>;
}

/**
 * A folder on this machine for what an attempt needs besides its parts: on disk inside the attempt's own folder,
 * which is swept with it and on the lake's file system; for S3 in the system's folder for temporary files (TMPDIR).
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE.
 */
export async function openScratch(output: StoredPlace): Promise<Scratch> {
  const folder = output.kind === 'disk' ? await within(output.path) : await temporary();
  return { folder, close: async () => await rm(folder, { recursive: true, force: true }) };
}

async function within(path: string): Promise<string> {
  const folder = join(path, '.scratch');
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw storageError(error, folder);
  });
  return folder;
}

async function temporary(): Promise<string> {
  const folder = tmpdir();
  await removeAbandoned(folder);
  const prefix = join(folder, `${ownersPrefix()}${process.pid}-`);
  return await mkdtemp(prefix).catch((error: unknown) => {
    throw storageError(error, prefix);
  });
}

/** A worker that was killed cannot remove its own, and nothing sweeps TMPDIR: the next conversion does. */
async function removeAbandoned(folder: string): Promise<void> {
  const prefix = ownersPrefix();
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = name.startsWith(prefix) ? /^\d+/.exec(name.slice(prefix.length))?.[0] : undefined;
    if (pid === undefined || isAlive(Number(pid))) continue;
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Of this host only: where machines or containers share a TMPDIR, nobody can tell of another's processes. */
function ownersPrefix(): string {
  return `longhaul-scratch-${hostname().replaceAll(/[^\w.-]/g, '_')}-`;
}

/** A later process with the same pid only makes the folder stay. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
