import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SourceSpec } from '../../../src/model/dataset.ts';
import type { LandingManifest } from '../../../src/model/manifest.ts';
import { land, type LandWatch } from '../../../src/landing/land.ts';
import type { Choice, Description } from '../../../src/landing/portals/description.ts';
import { describePortal } from '../../../src/landing/portals/open-portal.ts';
import { portalAddressOf } from '../../../src/landing/portals/recognise.ts';
import { probe, type ProbeResult } from '../../../src/landing/probe.ts';
import { openSource, type From, type OpenedSource } from '../../../src/landing/source.ts';
import { DiskStore } from '../../../src/storage/disk-store.ts';

const KEY = 'demo/ingest_date=2026-11-01/source=all/all.csv';
const http = { connectTimeoutMs: 5000, stallTimeoutMs: 5000 };
const addresses = { fileMarks: undefined, allowPrivate: true };

export interface PortalLab {
  land(asked: Asked): Promise<Landed>;
  /** Without a lake. */
  open(asked: Asked & { from?: From }): Promise<OpenedSource>;
  describe(asked: Asked): Promise<Description | Choice[] | undefined>;
  probe(asked: Asked): Promise<ProbeResult>;
  /** The names of all files in the lake. */
  files(): Promise<string[]>;
  remove(): Promise<void>;
}

export interface Asked
  extends Pick<SourceSpec, 'address' | 'headers' | 'geometry'>, Partial<LandWatch> {
  secrets?: Record<string, string>;
}

export interface Landed {
  manifest: LandingManifest;
  csv: string;
}

/** A lake in a folder of its own, for landings from portals on this machine. */
export async function portalLab(): Promise<PortalLab> {
  const root = await mkdtemp(join(tmpdir(), 'longhaul-portal-'));
  const store = new DiskStore(root);
  const specOf = ({ address, headers, geometry }: Asked): SourceSpec => ({
    id: 'all',
    address,
    ...(headers && { headers }),
    ...(geometry && { geometry }),
    optional: false,
    overrides: {},
  });
  return {
    land: async (asked) => {
      const { secrets = {}, signal = new AbortController().signal } = asked;
      const { onProgress = () => undefined } = asked;
      const request = { dataset: 'demo', ingestDate: '2026-11-01', rawKey: KEY };
      const manifest = await land(
        { ...request, source: specOf(asked) },
        { store, http, addresses, secrets },
        { signal, onProgress },
      );
      return { manifest, csv: await readFile(store.uri(manifest.rawKey), 'utf8') };
    },
    open: async (asked) => {
      const { secrets = {}, signal = new AbortController().signal, from } = asked;
      const request = { settings: http, policy: addresses, secrets, signal, from };
      return await openSource(specOf(asked), request);
    },
    describe: async ({ address, headers, secrets = {} }) => {
      const url = new URL(address);
      const portal = portalAddressOf(url);
      const request = {
        settings: http,
        policy: addresses,
        secrets,
        headers,
        signal: new AbortController().signal,
        shown: address,
        headersFor: url,
        geometry: undefined,
      };
      return portal && (await describePortal(portal, request));
    },
    probe: async (asked) => await probe(specOf(asked), { http, addresses }),
    files: async () => {
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      const files = entries.filter((each) => each.isFile());
      return files.map(({ name }) => name).toSorted();
    },
    remove: async () => await rm(root, { recursive: true, force: true }),
  };
}

export async function textOf(opened: OpenedSource): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of opened.body) pieces.push(piece);
  await opened.close();
  return Buffer.concat(pieces).toString('utf8');
}
