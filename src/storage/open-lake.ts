import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { LakeSettings, Settings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import { lakeText, type LakeIdentity } from '../model/lake-address.ts';
import { ZONE_FOLDERS } from '../model/layout.ts';
import { DiskStore } from './disk-store.ts';
import type { Lake } from './store.ts';

/** The AWS SDK takes a quarter of a second to load, so only commands with a lake in S3 load it. */
export async function openLake({ lake }: Pick<Settings, 'lake'>): Promise<Lake> {
  if (lake.kind === 'disk') {
    const zone = (name: string): DiskStore => new DiskStore(join(lake.folder, name));
    return { raw: zone(ZONE_FOLDERS.raw), converted: zone(ZONE_FOLDERS.converted) };
  }
  const { S3Store } = await import('./s3/s3-store.ts');
  const zone = (name: string) => new S3Store(lake, `${lake.prefix}${name}/`);
  return { raw: zone(ZONE_FOLDERS.raw), converted: zone(ZONE_FOLDERS.converted) };
}

/** Id of a lake on a disk, beside its zones. It moves with the lake, and hosts that share the folder share the id. */
const ID_FILE = '.longhaul-id';
const ID_FORM = /^[\da-f]{12}$/;
const ID_LENGTH = 12;

/**
 * What identifies a lake: a bucket's name and prefix, or the id in a folder. The first process that asks makes that id.
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
