import { stat } from 'node:fs/promises';
import {
  isPartOfRun,
  landingManifestKey,
  parseLeftoverFile,
  parsePartKey,
  parseStagingKey,
  parseUploadKey,
  snapshotManifestKey,
  SOURCE_ENTRY_NAME,
  sourcePrefix,
  sourcesPrefix,
  stagingPrefix,
  type DayAt,
  type SourceAt,
} from '../model/layout.ts';
import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import { parseDatasetName } from '../model/names.ts';
import { LEFTOVER_KINDS, type LeftoverKind, type SweptItem } from '../model/sweep.ts';
import { SOURCE_ENTRY } from './manifest-shapes.ts';
import { listRevisions, readManifest, readRevisions } from './manifests.ts';
import { isInBucket, type BucketStore, type Lake, type Store, type StoredObject } from './store.ts';

export interface Leftover extends Omit<SweptItem, 'outcome'> {
  kind: LeftoverKind;
  /** The run that may still use it: the run of a day, the run with an id, or any run of a dataset. */
  holder: DayAt | { runId: string } | { dataset: string };
  /** Reports no error if the leftover is already gone. */
  remove: () => Promise<void>;
}

export interface FoundLeftovers {
  /** Leftovers that are at least as old as requested, in the order of removal. */
  old: Leftover[];
  /** Number of the younger leftovers. */
  younger: number;
}

export interface AgeLimit {
  olderThanMs: number;
  nowMs: number;
  signal: AbortSignal;
}

/**
 * Everything in a lake that looks like a leftover of a dead run: by its key, and for whole parts by what the manifests
 * name. Published snapshots, landings with a manifest, and files that Longhaul does not name like that are not
 * leftovers. The caller must ask whether a run still uses a leftover.
 */
export async function findLeftovers(
  lake: Lake,
  { olderThanMs, nowMs, signal }: AgeLimit,
): Promise<FoundLeftovers> {
  const all: Leftover[] = [];
  for (const zone of ['raw', 'converted'] as const) {
    for await (const { modifiedAtMs, ...found } of leftoversIn(zone, lake[zone])) {
      signal.throwIfAborted();
      // If a store gives no time, the file counts as new.
      const ageMs = modifiedAtMs > 0 ? Math.max(0, Math.round(nowMs - modifiedAtMs)) : 0;
      all.push({ zone, ageMs, ...found });
    }
  }
  const order = ({ kind }: Leftover): number => LEFTOVER_KINDS.indexOf(kind);
  const old = all.filter(({ ageMs }) => ageMs >= olderThanMs);
  return { old: old.toSorted((a, b) => order(a) - order(b)), younger: all.length - old.length };
}

type Found = Omit<Leftover, 'zone' | 'ageMs'> & { modifiedAtMs: number };

/** Lists one dataset at a time. Other files in the zone are not listed. */
async function* leftoversIn(zone: 'raw' | 'converted', store: Store): AsyncIterable<Found> {
  for (const dataset of await datasetsIn(store)) {
    yield* filesOf(dataset, zone, store);
    if (zone === 'converted') yield* partsOf(dataset, store);
  }
  if (isInBucket(store)) yield* uploadsIn(store);
  yield* stagingIn(store);
}

async function* filesOf(
  dataset: string,
  zone: 'raw' | 'converted',
  store: Store,
): AsyncIterable<Found> {
  const objects: StoredObject[] = [];
  for await (const object of store.list(`${dataset}/`)) objects.push(object);
  const keys = new Set(objects.map(({ key }) => key));
  for (const object of objects) {
    const file = parseLeftoverFile(zone, object.key);
    // A publisher's file may itself be named `x.partial`. After its landing it has a manifest.
    if (!file || keys.has(landingManifestKey(object.key))) continue;
    yield ofObject(store, object, file.kind, { dataset, ingestDate: file.ingestDate });
  }
}

/** If a manifest cannot be read, the dataset keeps all of its parts, because the manifest may name them. */
async function* partsOf(dataset: string, store: Store): AsyncIterable<Found> {
  const unnamed = unnamedParts(store, { dataset, prefix: `${dataset}/` });
  for (const part of (await unnamed.catch(noneIf('LAKE_CORRUPT', 'MANIFEST_UNREADABLE'))) ?? []) {
    const holder = parsePartKey(part.key);
    if (holder) yield ofObject(store, part, 'part', holder);
  }
}

function ofObject(
  store: Store,
  object: StoredObject,
  kind: Leftover['kind'],
  holder: Leftover['holder'],
): Found {
  return { ...object, kind, holder, remove: async () => await store.delete(object.key) };
}

/** S3 keeps, and bills, the parts of an upload until a client completes or aborts it. */
async function* uploadsIn({ s3 }: BucketStore): AsyncIterable<Found> {
  const { abortUpload, listParts, listUploads } = await import('./s3/uploads.ts');
  for await (const upload of listUploads(s3, '')) {
    const { key, initiatedAtMs } = upload;
    const runId = parseStagingKey(key);
    const holder = runId === undefined ? parseUploadKey(key) : { runId };
    if (!holder) continue;
    const parts = await listParts(s3, upload).catch(noneIf('UPLOAD_LOST'));
    // The upload has ended since it was listed.
    if (!parts) continue;
    yield {
      kind: 'upload',
      key,
      holder,
      bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
      modifiedAtMs: Math.max(initiatedAtMs, ...parts.map((part) => part.modifiedAtMs)),
      remove: async () => await abortUpload(s3, upload),
    };
  }
}

export function noneIf(...codes: ErrorCode[]): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof LonghaulError && codes.includes(error.code)) return undefined;
    throw error;
  };
}

const STAGING = '_staging/';

/** A run's staging is one leftover, as old as its youngest file, because no file in it is of use without the run. */
async function* stagingIn(store: Store): AsyncIterable<Found> {
  for (const name of await store.folders(STAGING)) {
    const key = stagingPrefix(name);
    const runId = parseStagingKey(key);
    if (runId === undefined) continue;
    let modifiedAtMs = await folderTime(store, key);
    let bytes = 0;
    for await (const object of store.list(key)) {
      bytes += object.bytes;
      modifiedAtMs = Math.max(modifiedAtMs, object.modifiedAtMs);
    }
    const remove = async (): Promise<void> => await store.deletePrefix(key);
    yield { kind: 'staging', key, bytes, modifiedAtMs, holder: { runId }, remove };
  }
}

/** On a disk, a folder is made before its files, and stays after them. */
async function folderTime(store: Store, key: string): Promise<number> {
  const location = store.location(key);
  if (location.kind !== 'disk') return 0;
  return (await stat(location.path).catch(() => undefined))?.mtimeMs ?? 0;
}

/** Folders of datasets. */
export async function datasetsIn(store: Store): Promise<string[]> {
  return (await store.folders('')).filter((each) => isDatasetName(each));
}

function isDatasetName(name: string): boolean {
  try {
    return parseDatasetName(name) === name;
  } catch {
    return false;
  }
}

/**
 * Deletes the parts of a day's revision, or of one of its sources, that no manifest names or will name: those of this
 * run, whose attempts are over. If the revision is published, also those of every other run. Until then a run that
 * another Temporal started may still work on them.
 */
export async function deleteDeadParts(
  converted: Store,
  at: Omit<SourceAt, 'source'> & { source?: string },
  { runId, keep = [], signal }: { runId: string; keep?: readonly string[]; signal?: AbortSignal },
): Promise<void> {
  const { dataset, ingestDate, source } = at;
  const prefix = source === undefined ? sourcesPrefix(at) : sourcePrefix({ ...at, source });
  const isPublished = (await converted.size(snapshotManifestKey(at))) !== undefined;
  const isDead = (key: string): boolean => isPublished || isPartOfRun(key, runId);
  await converted.deleteUnfinished(prefix, (kind, key) => kind === 'partial' && isDead(key));
  for (const { key } of await unnamedParts(converted, { dataset, prefix, since: ingestDate })) {
    signal?.throwIfAborted();
    if (isDead(key) && !keep.includes(key)) await converted.delete(key);
  }
}

interface PartsAt {
  dataset: string;
  /** Prefix of keys of the dataset. */
  prefix: string;
  /** First ingest date that the prefix covers. Manifests of earlier days name none of these parts. */
  since?: string;
}

/**
 * Whole parts that nothing names: no manifest, published or unpublished, and no entry of a verified source that is not
 * published yet. A dead attempt left them, or a running attempt still uses them.
 */
async function unnamedParts(
  converted: Store,
  { dataset, prefix, since = '' }: PartsAt,
): Promise<StoredObject[]> {
  const parts: StoredObject[] = [];
  const entries: string[] = [];
  for await (const object of converted.list(prefix)) {
    if (parsePartKey(object.key)) parts.push(object);
    else if (object.key.endsWith(`/${SOURCE_ENTRY_NAME}`)) entries.push(object.key);
  }
  if (parts.length === 0) return [];
  const refs = (await listRevisions(converted, dataset)).filter((ref) => ref.ingestDate >= since);
  const snapshots = await readRevisions(converted, refs);
  const sources = snapshots.flatMap((snapshot) => snapshot?.sources ?? []);
  const named = new Set(sources.flatMap(({ parquet }) => parquet.map(({ key }) => key)));
  const unpublished = parts.filter(({ key }) => !named.has(key));
  if (unpublished.length === 0) return [];
  // If the revision is already published, entries that another run verified no longer count.
  const published = refs.map((ref) => sourcesPrefix(ref));
  for (const key of entries.filter((each) => !published.some((one) => each.startsWith(one)))) {
    const entry = await readManifest(converted, key, SOURCE_ENTRY);
    for (const part of entry?.parquet ?? []) named.add(part.key);
  }
  return unpublished.filter(({ key }) => !named.has(key));
}
