import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { afterEach, beforeEach } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SourceSpec } from '../../../src/model/dataset.ts';
import type { LandingManifest } from '../../../src/model/manifest.ts';
import { land, type LandWatch } from '../../../src/landing/land.ts';
import type { Choice, Description } from '../../../src/landing/portals/portal.ts';
import { probe, type ProbeResult } from '../../../src/landing/probe.ts';
import {
  describeSource,
  openSource,
  type From,
  type OpenedSource,
} from '../../../src/landing/source.ts';
import { DiskStore } from '../../../src/storage/disk-store.ts';

const KEY = 'demo/ingest_date=2026-11-01/source=all/all.csv';
const http = { connectTimeoutMs: 5000, stallTimeoutMs: 5000 };
const addresses = { fileMarks: undefined, allowPrivate: true };

export interface PortalLab {
  land(asked: Asked): Promise<Landed>;
  open: typeof open;
  describe: typeof describe;
  probe(asked: Asked): Promise<ProbeResult>;
  /** Names of all files in the lake. */
  files(): Promise<string[]>;
}

export interface Asked
  extends Pick<SourceSpec, 'address' | 'headers' | 'geometry'>, Partial<LandWatch> {
  secrets?: Record<string, string>;
}

export interface Landed {
  manifest: LandingManifest;
  csv: string;
}

/** Gives each test of a file its own lake for landings from portals on this machine. */
export function labOfEachTest(): PortalLab {
  let lab: Awaited<ReturnType<typeof portalLab>>;
  let root = '';
  beforeEach(async () => {
    lab = await portalLab();
    root = lab.root;
  });
  afterEach(async () => await lab.remove());
  return labIn(() => root);
}

/** Creates another lake. */
export async function portalLab(): Promise<
  PortalLab & { root: string; remove: () => Promise<void> }
> {
  const root = await mkdtemp(join(tmpdir(), 'longhaul-portal-'));
  const remove = async (): Promise<void> => await rm(root, { recursive: true, force: true });
  return { ...labIn(() => root), root, remove };
}

function labIn(root: () => string): PortalLab {
  return {
    land: async (asked) => {
      const { secrets = {}, signal = new AbortController().signal } = asked;
      const { onProgress = () => undefined } = asked;
      const store = new DiskStore(root());
      const request = { dataset: 'demo', ingestDate: '2026-11-01', rawKey: KEY };
      const manifest = await land(
        { ...request, source: specOf(asked) },
        { store, http, addresses, secrets },
        { signal, onProgress },
      );
      return { manifest, csv: await readFile(store.uri(manifest.rawKey), 'utf8') };
    },
    open,
    describe,
    probe: async (asked) => await probe(specOf(asked), { http, addresses }),
    files: async () => {
      const entries = await readdir(root(), { recursive: true, withFileTypes: true });
      const files = entries.filter((each) => each.isFile());
      return files.map(({ name }) => name).toSorted();
    },
  };
}

/** Opens a source without a lake. */
export async function open(asked: Asked & { from?: From }): Promise<OpenedSource> {
  return await openSource(specOf(asked), { ...requestOf(asked), from: asked.from });
}

export async function describe(asked: Asked): Promise<Description | Choice[] | undefined> {
  return await describeSource(specOf(asked), requestOf(asked));
}

function specOf({ address, headers, geometry }: Asked): SourceSpec {
  return {
    ...{ id: 'all', address, optional: false, overrides: {} },
    ...(headers && { headers }),
    ...(geometry && { geometry }),
  };
}

function requestOf({ secrets = {}, signal = new AbortController().signal }: Asked) {
  return { settings: http, policy: addresses, secrets, signal };
}

export async function textOf(opened: OpenedSource): Promise<string> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of opened.body) pieces.push(piece);
    return Buffer.concat(pieces).toString('utf8');
  } finally {
    await opened.close();
  }
}
