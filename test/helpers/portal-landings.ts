import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { land, type LandWatch } from '../../src/landing/land.ts';
import type { Geometry, SourceSpec } from '../../src/model/dataset.ts';
import type { LandingManifest } from '../../src/model/manifest.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';

const KEY = 'demo/ingest_date=2026-11-01/source=all/all.csv';
export const PORTAL_DEPS = {
  http: { connectTimeoutMs: 5000, stallTimeoutMs: 5000 },
  addresses: { allowPrivate: true },
};

/** A lake on disk for landings of portals' tables. */
export interface LandingRoom {
  land(
    address: string,
    options?: Partial<LandWatch> & { geometry?: Geometry },
  ): Promise<LandingManifest>;
  text(manifest: LandingManifest): Promise<string>;
  files(): Promise<string[]>;
  close(): Promise<void>;
}

export function portalSource(address: string, geometry?: Geometry): SourceSpec {
  return { id: 'all', address, optional: false, overrides: {}, ...(geometry && { geometry }) };
}

export async function landingRoom(): Promise<LandingRoom> {
  const root = await mkdtemp(join(tmpdir(), 'longhaul-portal-'));
  const store = new DiskStore(root);
  return {
    land: async (address, { geometry, ...watch } = {}) =>
      await land(
        {
          dataset: 'demo',
          ingestDate: '2026-11-01',
          source: portalSource(address, geometry),
          rawKey: KEY,
        },
        { store, ...PORTAL_DEPS },
        { signal: new AbortController().signal, onProgress: () => undefined, ...watch },
      ),
    text: async ({ rawKey }) => await readFile(store.uri(rawKey), 'utf8'),
    files: async () => {
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      const files = entries.filter((each) => each.isFile());
      return files.map(({ name }) => name).toSorted();
    },
    close: async () => await rm(root, { recursive: true, force: true }),
  };
}
