import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { LakeSettings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import { lakeText, type LakeIdentity } from '../model/lake-address.ts';
import { DiskStore } from './disk-store.ts';

/** Beside the zones of a lake on a disk. It moves with the lake, and hosts that share the folder share it. */
const ID_FILE = '.longhaul-id';
const ID_FORM = /^[\da-f]{12}$/;
const ID_LENGTH = 12;

/**
 * What identifies a lake: of a bucket its name and prefix; of a folder the id that lies in it, which the first process
 * that asks makes.
 * @throws LonghaulError LAKE_CORRUPT, LAKE_NOT_WRITABLE, DISK_FULL.
 */
export async function identityOfLake(lake: LakeSettings): Promise<LakeIdentity> {
  const address = lakeText(lake);
  if (lake.kind === 's3') {
    const hash = createHash('sha256').update(address).digest('hex');
    return { id: hash.slice(0, ID_LENGTH), address };
  }
  return { id: await idIn(new DiskStore(lake.folder)), address: `${address} of ${hostname()}` };
}

async function idIn(store: DiskStore): Promise<string> {
  const known = await store.get(ID_FILE);
  if (!known) await store.putIfAbsent(ID_FILE, `${randomBytes(ID_LENGTH / 2).toString('hex')}\n`);
  const id = String(known ?? (await store.get(ID_FILE))).trim();
  if (ID_FORM.test(id)) return id;
  throw new LonghaulError('LAKE_CORRUPT', `${store.uri(ID_FILE)} holds no id of a lake.`);
}
