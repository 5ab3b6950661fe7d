import { rawRemovalKey } from '../model/layout.ts';
import type { RawRemoval } from '../model/manifest.ts';
import { RAW_REMOVAL } from './manifest-shapes.ts';
import { readManifest, toJson } from './manifests.ts';
import type { Store } from './store.ts';

/** Says that a raw file is not lost, before it is removed. */
export async function putRawRemoval(
  raw: Store,
  what: Omit<RawRemoval, 'format' | 'removedAt'>,
): Promise<void> {
  const removedAt = new Date().toISOString();
  const removal: RawRemoval = { format: 'longhaul/raw-removed/1', ...what, removedAt };
  await raw.putIfAbsent(rawRemovalKey(what.rawKey), toJson(removal));
}

/** @returns undefined where `keep.raw` did not remove the file. @throws LonghaulError MANIFEST_UNREADABLE. */
export async function readRawRemoval(raw: Store, rawKey: string): Promise<RawRemoval | undefined> {
  return await readManifest(raw, rawRemovalKey(rawKey), RAW_REMOVAL);
}
