import { closeSync, existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { takeLock } from '../../../src/embedded/lock.ts';

/** A folder of a cluster's, an HDFS's or a job run's own, which shows whether its process lives. */
export async function makeOwnedFolder(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  takeLock(join(path, OWNER));
  return path;
}

/** Removes what killed servers left. What has no dead owner stays. */
export async function removeAbandonedFolders(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!OURS.test(name)) continue;
    const owner = join(folder, name, OWNER);
    const lock = existsSync(owner) ? takeLock(owner) : undefined;
    if (lock === undefined) continue;
    await rm(join(folder, name), { recursive: true, force: true });
    closeSync(lock);
  }
}

const OWNER = 'owner.lock';
/** Of a cluster's id, of `hdfsPool`, and of a job run. */
const OURS = /^(?:j-[A-Z0-9]+|hdfs-\d+-\d+|job-[0-9a-z]+)$/;
