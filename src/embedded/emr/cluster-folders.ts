import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isIdentity, livenessOf, ownIdentity } from '../process-identity.ts';
import { parseFields } from '../state-files.ts';

/** A folder of a cluster's own, that says which process it belongs to. */
export async function makeClusterFolder(folder: string, clusterId: string): Promise<string> {
  const path = join(folder, clusterId);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, OWNER), JSON.stringify(ownIdentity()));
  return path;
}

/** Removes what killed servers left: their clusters' HDFS. Whatever says of no dead owner stays. */
export async function removeAbandonedClusters(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!CLUSTER_ID.test(name)) continue;
    const path = join(folder, name);
    const owner = parseFields(await readFile(join(path, OWNER), 'utf8').catch(() => ''));
    if (isIdentity(owner) && livenessOf(owner) === 'dead') {
      await rm(path, { recursive: true, force: true });
    }
  }
}

const OWNER = 'owner.json';
const CLUSTER_ID = /^j-[A-Z0-9]+$/;
