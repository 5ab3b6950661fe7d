import { closeSync, existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { takeLock } from '../../../src/embedded/lock.ts';

/** A folder of a cluster's own, which tells whether the process that it belongs to lives. */
export async function makeClusterFolder(folder: string, clusterId: string): Promise<string> {
  const path = join(folder, clusterId);
  await mkdir(path, { recursive: true });
  takeLock(join(path, OWNER));
  return path;
}

/** Removes what killed servers left: their clusters' HDFS. What has no dead owner stays. */
export async function removeAbandonedClusters(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!CLUSTER_ID.test(name)) continue;
    const owner = join(folder, name, OWNER);
    const lock = existsSync(owner) ? takeLock(owner) : undefined;
    if (lock === undefined) continue;
    await rm(join(folder, name), { recursive: true, force: true });
    closeSync(lock);
  }
}

const OWNER = 'owner.lock';
const CLUSTER_ID = /^j-[A-Z0-9]+$/;
