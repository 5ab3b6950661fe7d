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
  /** Whose it is, if that run is under way: the one of a day, the one of an id, or any of a dataset. */
  holder: DayAt | { runId: string } | { dataset: string };
  /** No error where it is gone already. */
  remove: () => Promise<void>;
}

export interface FoundLeftovers {
  /** Untouched for as long as was asked, in the order in which they must go. */
  old: Leftover[];
  /** How many others. */
  younger: number;
}

export interface AgeLimit {
  olderThanMs: number;
  nowMs: number;
  signal: AbortSignal;
}

/**
 * Everything in a lake that has the form of what dead runs leave, by its key and, of whole parts, by what the manifests
 * name: published snapshots, landings with their manifest, and whatever is not named as this program names things are
 * no leftovers. Whether a run still holds it is for the caller to ask.
 */
export async function findLeftovers(
  lake: Lake,
  { olderThanMs, nowMs, signal }: AgeLimit,
): Promise<FoundLeftovers> {
  const all: Leftover[] = [];
  for (const zone of ['raw', 'converted'] as const) {
    for await (const { modifiedAtMs, ...found } of leftoversIn(zone, lake[zone])) {
      signal.throwIfAborted();
      // A store that gives no time gives no age: the file counts as new.
      const ageMs = modifiedAtMs > 0 ? Math.max(0, Math.round(nowMs - modifiedAtMs)) : 0;
      all.push({ zone, ageMs, ...found });
    }
  }
  const order = ({ kind }: Leftover): number => LEFTOVER_KINDS.indexOf(kind);
  const old = all.filter(({ ageMs }) => ageMs >= olderThanMs);
  return { old: old.toSorted((a, b) => order(a) - order(b)), younger: all.length - old.length };
}

type Found = Omit<Leftover, 'zone' | 'ageMs'> & { modifiedAtMs: number };

/** A dataset at a time: what else lies in the zone is not even listed. */
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
    // A publisher's file may itself be called `x.partial`: landed, it has a manifest.
    if (!file || keys.has(landingManifestKey(object.key))) continue;
    yield ofObject(store, object, file.kind, { dataset, ingestDate: file.ingestDate });
  }
}

/** A dataset with a manifest that cannot be read keeps all of its parts: it may name them. */
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

/** S3 keeps, and bills, the parts of an upload until it is completed or aborted. */
async function* uploadsIn({ s3 }: BucketStore): AsyncIterable<Found> {
  const { abortUpload, listParts, listUploads } = await import('./s3/uploads.ts');
  for await (const upload of listUploads(s3, '')) {
    const { key, initiatedAtMs } = upload;
    const holder = holderOfUpload(key);
    if (!holder) continue;
    const parts = await listParts(s3, upload).catch(noneIf('UPLOAD_LOST'));
    // It has ended since it was listed.
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

function holderOfUpload(key: string): Leftover['holder'] | undefined {
  const runId = parseStagingKey(key);
  return runId === undefined ? parseUploadKey(key) : { runId };
}

const STAGING = '_staging/';

/** A run's staging is one leftover, as old as the youngest of it: nothing of it is of use without the run. */
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

/** A disk's folders outlive their files, and are made before these. */
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
 * Deletes the parts of a day's revision, or of one source of it, that no manifest names or will name: those of the
 * run, whose attempts are over; once the revision is published, those of every run. Until then another run may be at
 * work, which another Temporal started.
 */
export async function deleteDeadParts(
  converted: Store,
  at: Omit<SourceAt, 'source'> & { source?: string },
  { runId, keep = [], signal }: { runId: string; keep?: readonly string[]; signal?: AbortSignal },
): Promise<void> {
  const { dataset, ingestDate, revision, source } = at;
  const prefix = source === undefined ? sourcesPrefix(at) : sourcePrefix({ ...at, source });
  const manifest = snapshotManifestKey(dataset, ingestDate, revision);
  const isPublished = (await converted.size(manifest)) !== undefined;
  const isDead = (key: string): boolean => isPublished || isPartOfRun(key, runId);
  await converted.deleteUnfinished(prefix, (kind, key) => kind === 'partial' && isDead(key));
  for (const { key } of await unnamedParts(converted, { dataset, prefix, since: ingestDate })) {
    signal?.throwIfAborted();
    if (isDead(key) && !keep.includes(key)) await converted.delete(key);
  }
}

interface PartsAt {
  dataset: string;
  /** Of the dataset's keys. */
  prefix: string;
  /** The first ingest date that the prefix covers: an earlier day's manifest names none of these parts. */
  since?: string;
}

/**
 * Whole parts that nothing names: no manifest, published or unpublished, and no entry of a source that is verified and not published
 * yet. A dead attempt left them, or one at work has them.
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
  // What another run verified of a revision that is published now counts for nothing.
  const published = refs.map((ref) => sourcesPrefix(ref));
  for (const key of entries.filter((each) => !published.some((one) => each.startsWith(one)))) {
    const entry = await readManifest(converted, key, SOURCE_ENTRY);
    for (const part of entry?.parquet ?? []) named.add(part.key);
  }
  return unpublished.filter(({ key }) => !named.has(key));
}
