import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { storageError } from './disk-store.ts';

export interface TemporaryFolder {
  folder: string;
  close(): Promise<void>;
}

/**
 * A folder of this process's own in the system's place for temporary files (TMPDIR).
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE.
 */
export async function openTemporaryFolder(): Promise<TemporaryFolder> {
  const place = tmpdir();
  await removeAbandoned(place);
  const prefix = join(place, `${ownersPrefix()}${process.pid}-`);
  const folder = await mkdtemp(prefix).catch((error: unknown) => {
    throw storageError(error, prefix);
  });
  return { folder, close: async () => await rm(folder, { recursive: true, force: true }) };
}

/** A process that was killed cannot remove its own, and nothing sweeps TMPDIR: the next one does. */
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
