import { LonghaulError } from '../model/errors.ts';
import { landingManifestKey } from '../model/layout.ts';
import type { LandingManifest } from '../model/manifest.ts';
import { readLanding } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';

/**
 * Gives the complete landing its name, and then its manifest. Nothing that has a manifest is overwritten; an
 * object without one is what a killed attempt left, and nobody trusts it.
 * @param publish gives the bytes their name.
 * @returns the manifest that is in the store: an equal landing's, where there was one.
 * @throws LonghaulError LAKE_CORRUPT where a landing with other bytes is there already.
 */
export async function commitLanding(
  store: Store,
  manifest: LandingManifest,
  publish: () => Promise<void>,
): Promise<LandingManifest> {
  const { rawKey } = manifest;
  const present = await readLanding(store, rawKey);
  if (present) assertSame(present, manifest);
  await publish();
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  if ((await store.putIfAbsent(landingManifestKey(rawKey), text)) === 'created') return manifest;
  const stored = (await readLanding(store, rawKey)) ?? manifest;
  assertSame(stored, manifest);
  return stored;
}

function assertSame(present: LandingManifest, landed: LandingManifest): void {
  if (present.checksum === landed.checksum && present.bytes === landed.bytes) return;
  throw new LonghaulError(
    'LAKE_CORRUPT',
    `${landed.rawKey} was landed before with ${present.bytes} bytes (${present.checksum}), and the publisher now sends ${landed.bytes} (${landed.checksum}).`,
    { source: landed.source, hint: 'Run again with --again: it lands a revision beside it.' },
  );
}
