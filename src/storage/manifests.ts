import { LonghaulError } from '../model/errors.ts';
import {
  dayPrefix,
  landingManifestKey,
  nextLandingKey,
  parseSnapshotManifestKey,
  snapshotManifestKey,
} from '../model/layout.ts';
import type { LandingManifest, SnapshotManifest } from '../model/manifest.ts';
import type { Store } from './store.ts';

export interface SnapshotRef {
  dataset: string;
  ingestDate: string;
  revision: number;
}

/** The published snapshots of a dataset, oldest first; all revisions. */
export async function listSnapshots(converted: Store, dataset: string): Promise<SnapshotRef[]> {
  const found: SnapshotRef[] = [];
  for await (const key of manifestKeys(converted, dataset)) {
    const ref = parseSnapshotManifestKey(key);
    if (ref) found.push(ref);
  }
  return found.toSorted(
    (a, b) => a.ingestDate.localeCompare(b.ingestDate) || a.revision - b.revision,
  );
}

/** @throws LonghaulError LAKE_CORRUPT where the manifest cannot be read. */
export async function readSnapshot(converted: Store, ref: SnapshotRef): Promise<SnapshotManifest> {
  const key = snapshotManifestKey(ref.dataset, ref.ingestDate, ref.revision);
  const manifest = await readJson<SnapshotManifest>(converted, key);
  if (manifest?.format !== 'longhaul/snapshot/1') {
    throw new LonghaulError('LAKE_CORRUPT', `${converted.uri(key)} is no snapshot manifest.`);
  }
  return manifest;
}

export async function readLanding(
  raw: Store,
  rawKey: string,
): Promise<LandingManifest | undefined> {
  return await readJson<LandingManifest>(raw, landingManifestKey(rawKey));
}

/** A name for a landing of one source of a day's revision. */
export interface LandingName {
  rawKey: string;
  /** Undefined: nobody has finished a landing of that name. */
  landing: LandingManifest | undefined;
}

/** The names that are taken, also by a file without a manifest, the oldest first; then the first free one. */
export async function landingNames(raw: Store, firstKey: string): Promise<LandingName[]> {
  const names: LandingName[] = [];
  for (let rawKey = firstKey; ; rawKey = nextLandingKey(rawKey)) {
    const landing = await readLanding(raw, rawKey);
    names.push({ rawKey, landing });
    if (!landing && (await raw.size(rawKey)) === undefined) return names;
  }
}

/** All landings of one source of a day's revision, the oldest first. */
export async function readLandings(raw: Store, firstKey: string): Promise<LandingManifest[]> {
  return (await landingNames(raw, firstKey)).flatMap(({ landing }) => landing ?? []);
}

/** @throws LonghaulError LAKE_CORRUPT for what is no JSON. */
export async function readJson<T>(store: Store, key: string): Promise<T | undefined> {
  const body = await store.get(key);
  if (!body) return undefined;
  try {
    return JSON.parse(body.toString('utf8')) as T;
  } catch (error) {
    throw new LonghaulError('LAKE_CORRUPT', `${store.uri(key)} is no JSON.`, {}, { cause: error });
  }
}

export function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** One level a day: a listing of every Parquet file would grow with the lake. */
async function* manifestKeys(converted: Store, dataset: string): AsyncIterable<string> {
  for (const day of await converted.folders(`${dataset}/`)) {
    const ingestDate = /^ingest_date=(\d{4}-\d{2}-\d{2})$/.exec(day)?.[1];
    if (!ingestDate) continue;
    for await (const { key } of converted.list(`${dayPrefix(dataset, ingestDate)}_manifest`))
      yield key;
  }
}
