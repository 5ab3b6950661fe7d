import { landingManifestKey } from '../model/layout.ts';
import type { LandingManifest } from '../model/manifest.ts';
import { readLanding, toJson } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';

/** Another landing, with other bytes, has the name: this one needs another name. */
export class LandingNameTaken extends Error {
  readonly rawKey: string;

  constructor(rawKey: string) {
    super(`Another landing has the name ${rawKey}.`);
    this.rawKey = rawKey;
  }
}

/**
 * Gives the complete landing its name, and then its manifest. Nothing that has the name is overwritten or removed, with
 * or without a manifest: another host, or an attempt that was given up while it was frozen, may be about to write one.
 * @param earlier landings of the same source, day and revision.
 * @param publish gives the bytes their name.
 * @returns the manifest that is in the store: an equal landing's, where there was one.
 * @throws LandingNameTaken.
 */
export async function commitLanding(
  store: Store,
  manifest: LandingManifest,
  earlier: readonly LandingManifest[],
  publish: () => Promise<void>,
): Promise<LandingManifest> {
  const equal = earlier.find((each) => isSame(each, manifest));
  if (equal) return equal;
  const { rawKey } = manifest;
  await publish();
  const key = landingManifestKey(rawKey);
  if ((await store.putIfAbsent(key, toJson(manifest))) === 'created') return manifest;
  const stored = (await readLanding(store, rawKey)) ?? manifest;
  if (!isSame(stored, manifest)) throw new LandingNameTaken(rawKey);
  return stored;
}

function isSame(one: LandingManifest, other: LandingManifest): boolean {
  return one.checksum === other.checksum && one.bytes === other.bytes;
}
