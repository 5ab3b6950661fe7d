import { createReadStream } from 'node:fs';
import { link } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { formatChecksum } from '../model/checksum.ts';
import { LonghaulError } from '../model/errors.ts';
import { landingManifestKey } from '../model/layout.ts';
import type { LandingManifest } from '../model/manifest.ts';
import { storageError, syncFolder } from '../storage/disk-store.ts';
import { readLanding } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import { partialKey } from './checkpoint.ts';

/**
 * Gives the complete partial file its name, and then its manifest. Nothing that has a manifest is overwritten;
 * a file without one is what a killed attempt left, and nobody trusts it.
 * @returns the manifest that is in the store: an equal landing's, where there was one.
 * @throws LonghaulError LAKE_CORRUPT where a landing with other bytes is there already.
 */
export async function commitLanding(
  store: Store,
  manifest: LandingManifest,
): Promise<LandingManifest> {
  const { rawKey } = manifest;
  const present = await readLanding(store, rawKey);
  if (present) assertSame(present, manifest);
  await nameFile(store, manifest);
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  if ((await store.putIfAbsent(landingManifestKey(rawKey), text)) === 'created') return manifest;
  const stored = (await readLanding(store, rawKey)) ?? manifest;
  assertSame(stored, manifest);
  return stored;
}

async function nameFile(store: Store, manifest: LandingManifest): Promise<void> {
  const path = store.uri(manifest.rawKey);
  const partial = store.uri(partialKey(manifest.rawKey));
  try {
    if (!(await linked(partial, path)) && !(await holds(path, manifest))) {
      await store.delete(manifest.rawKey);
      await link(partial, path);
    }
    await syncFolder(dirname(path));
  } catch (error) {
    throw storageError(error, path);
  }
}

/** False where the name is taken. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function holds(path: string, { bytes, checksum }: LandingManifest): Promise<boolean> {
  let length = 0;
  let crc = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    length += (chunk as Buffer).length;
    crc = crc32(chunk as Buffer, crc);
  }
  return length === bytes && formatChecksum(crc) === checksum;
}

function assertSame(present: LandingManifest, landed: LandingManifest): void {
  if (present.checksum === landed.checksum && present.bytes === landed.bytes) return;
  throw new LonghaulError(
    'LAKE_CORRUPT',
    `${landed.rawKey} was landed before with ${present.bytes} bytes (${present.checksum}), and the publisher now sends ${landed.bytes} (${landed.checksum}).`,
    { source: landed.source, hint: 'Run again with --again: it lands a revision beside it.' },
  );
}
