import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { ZONE_FOLDERS } from '../model/layout.ts';
import { DiskStore } from './disk-store.ts';
import type { Lake } from './store.ts';

/** The AWS SDK takes a quarter of a second to load: only commands with a lake in S3 wait for it. */
export async function openLake({ lake }: Pick<Settings, 'lake'>): Promise<Lake> {
  if (lake.kind === 'disk') {
    const zone = (name: string): DiskStore => new DiskStore(join(lake.folder, name));
    return { raw: zone(ZONE_FOLDERS.raw), converted: zone(ZONE_FOLDERS.converted) };
  }
  const { S3Store } = await import('./s3/s3-store.ts');
  const zone = (name: string) => new S3Store(lake, `${lake.prefix}${name}/`);
  return { raw: zone(ZONE_FOLDERS.raw), converted: zone(ZONE_FOLDERS.converted) };
}
