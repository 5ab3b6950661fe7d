import { crc32 } from 'node:zlib';
import pMap from 'p-map';
import type { z } from 'zod';
import { formatChecksum } from '../model/texts.ts';
import { LonghaulError } from '../model/errors.ts';
import {
  dayPrefix,
  endingKey,
  landingManifestKey,
  nextLandingKey,
  parseManifestKey,
  rawRemovalKey,
  snapshotManifestKey,
  tombstoneKey,
  type SnapshotRef,
} from '../model/layout.ts';
import {
  revisionText,
  type Ending,
  type LandingManifest,
  type RawRemoval,
  type SnapshotManifest,
  type Tombstone,
} from '../model/manifest.ts';
import { ENDING, LANDING, RAW_REMOVAL, SNAPSHOT, TOMBSTONE } from './manifest-shapes.ts';
import { printable } from '../model/names.ts';
import type { Store } from './store.ts';

/** The published snapshots of a dataset, oldest first: all revisions that are not unpublished and have not ended. */
export async function listSnapshots(converted: Store, dataset: string): Promise<RevisionRef[]> {
  const revisions = await listRevisions(converted, dataset);
  return revisions.filter(isPublished);
}

export interface RevisionRef extends SnapshotRef {
  /** The revision was published, and then withdrawn. */
  isUnpublished: boolean;
  /** The revision was published, and its day became older than the dataset keeps days. */
  hasEnded: boolean;
}

export function isPublished({ isUnpublished: isWithdrawn, hasEnded }: RevisionRef): boolean {
  return !isWithdrawn && !hasEnded;
}

/**
 * Every revision that a dataset ever had, oldest first. Their numbers and files are never used again. Revisions that
 * ended and left no file are not listed.
 */
export async function listRevisions(converted: Store, dataset: string): Promise<RevisionRef[]> {
  const found = new Map<string, RevisionRef>();
  for (const key of await manifestKeys(converted, dataset)) {
    const parsed = parseManifestKey(key);
    if (!parsed) continue;
    const name = revisionText(parsed.ref);
    const ref = found.get(name) ?? { ...parsed.ref, isUnpublished: false, hasEnded: false };
    ref.isUnpublished ||= parsed.mark === 'unpublished';
    ref.hasEnded ||= parsed.mark === 'ended';
    found.set(name, ref);
  }
  return [...found.values()].toSorted(
    (a, b) => a.ingestDate.localeCompare(b.ingestDate) || a.revision - b.revision,
  );
}

/** @throws LonghaulError MANIFEST_UNREADABLE; LAKE_CORRUPT if the manifest is gone. */
export async function readSnapshot(converted: Store, ref: SnapshotRef): Promise<SnapshotManifest> {
  const manifest = await readOf(converted, ref, snapshotManifestKey, SNAPSHOT);
  if (manifest) return manifest;
  const message = `${converted.uri(snapshotManifestKey(ref))} is gone.`;
  throw new LonghaulError('LAKE_CORRUPT', message);
}

/**
 * Manifests of any revisions, in their order. Undefined if a day has ended and its manifest is gone.
 * @throws LonghaulError MANIFEST_UNREADABLE, LAKE_CORRUPT.
 */
export async function readRevisions(
  converted: Store,
  refs: readonly RevisionRef[],
): Promise<(SnapshotManifest | undefined)[]> {
  const read = async (ref: RevisionRef): Promise<SnapshotManifest | undefined> =>
    ref.hasEnded
      ? await readOf(converted, ref, snapshotManifestKey, SNAPSHOT)
      : await readSnapshot(converted, ref);
  return await pMap(refs, read, { concurrency: REQUESTS_AT_ONCE });
}

/** @returns undefined if the revision is not unpublished. @throws LonghaulError MANIFEST_UNREADABLE. */
export async function readTombstone(
  converted: Store,
  ref: SnapshotRef,
): Promise<Tombstone | undefined> {
  return await readOf(converted, ref, tombstoneKey, TOMBSTONE);
}

/** @returns undefined if the revision's day has not ended. @throws LonghaulError MANIFEST_UNREADABLE. */
export async function readEnding(converted: Store, ref: SnapshotRef): Promise<Ending | undefined> {
  return await readOf(converted, ref, endingKey, ENDING);
}

async function readOf<T extends SnapshotRef>(
  converted: Store,
  ref: SnapshotRef,
  keyOf: (ref: SnapshotRef) => string,
  shape: z.ZodType<T>,
): Promise<T | undefined> {
  const found = await readManifest(converted, keyOf(ref), shape);
  if (!found) return undefined;
  const { dataset, ingestDate, revision } = found;
  if (dataset === ref.dataset && revisionText(found) === revisionText(ref)) return found;
  const why = `it belongs to ${dataset} ${ingestDate}, revision ${revision}`;
  throw unreadable(converted, keyOf(ref), why);
}

export async function putEnding(
  converted: Store,
  what: Omit<Ending, 'format' | 'endedAt'>,
): Promise<void> {
  const endedAt = new Date().toISOString();
  const ending: Ending = { format: 'longhaul/ended/1', ...what, endedAt };
  await converted.putIfAbsent(endingKey(what), toJson(ending));
}

/**
 * Whether a published revision has ended. Its mark counts if it exists, as with a tombstone. If no published day names
 * a file of the revision, a sweep removes the manifest and then the mark, so a missing manifest also counts.
 */
export async function hasEnded(converted: Store, ref: SnapshotRef): Promise<boolean> {
  return (
    (await converted.size(endingKey(ref))) !== undefined ||
    (await converted.size(snapshotManifestKey(ref))) === undefined
  );
}

/** A tombstone counts if it exists: even a damaged one says that its revision is no longer published. */
export async function isUnpublished(converted: Store, ref: SnapshotRef): Promise<boolean> {
  return (await converted.size(tombstoneKey(ref))) !== undefined;
}

/** @returns `exists` if the revision is already unpublished. The tombstone keeps its first reason. */
export async function putTombstone(
  converted: Store,
  what: Omit<Tombstone, 'format' | 'unpublishedAt'>,
): Promise<'created' | 'exists'> {
  const unpublishedAt = new Date().toISOString();
  const tombstone: Tombstone = { format: 'longhaul/unpublished/1', ...what, unpublishedAt };
  return await converted.putIfAbsent(tombstoneKey(what), toJson(tombstone));
}

/** Records that a raw file is not lost, before the file is removed. */
export async function putRawRemoval(
  raw: Store,
  what: Omit<RawRemoval, 'format' | 'removedAt'>,
): Promise<void> {
  const removedAt = new Date().toISOString();
  const removal: RawRemoval = { format: 'longhaul/raw-removed/1', ...what, removedAt };
  await raw.putIfAbsent(rawRemovalKey(what.rawKey), toJson(removal));
}

/** @returns undefined if `keep.raw` did not remove the file. @throws LonghaulError MANIFEST_UNREADABLE. */
export async function readRawRemoval(raw: Store, rawKey: string): Promise<RawRemoval | undefined> {
  return await readManifest(raw, rawRemovalKey(rawKey), RAW_REMOVAL);
}

/** @throws LonghaulError MANIFEST_UNREADABLE. */
export async function readLanding(
  raw: Store,
  rawKey: string,
): Promise<LandingManifest | undefined> {
  return await readManifest(raw, landingManifestKey(rawKey), LANDING);
}

/** A name for a landing of one source of a day's revision. */
export interface LandingName {
  rawKey: string;
  /** Undefined if no run has finished a landing with this name. */
  landing: LandingManifest | undefined;
}

/** The names in use, also by a file without a manifest, the oldest first; then the first free name. */
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

/**
 * Reads a file that `toJson` wrote: a manifest, or another file that the proof rests on.
 * @returns undefined if the file does not exist.
 * @throws LonghaulError MANIFEST_UNREADABLE if the file is damaged, or of a newer version.
 */
export async function readManifest<T>(
  store: Store,
  key: string,
  shape: z.ZodType<T>,
): Promise<T | undefined> {
  return await readJson(store, key, shape, true);
}

/**
 * Reads JSON that another program wrote. If it `isChecked`, `toJson` wrote it.
 * @throws LonghaulError MANIFEST_UNREADABLE.
 */
export async function readJson<T>(
  store: Store,
  key: string,
  shape: z.ZodType<T>,
  isChecked = false,
): Promise<T | undefined> {
  const body = await store.get(key);
  if (!body) return undefined;
  const json = objectIn(body);
  if (!json) throw unreadable(store, key, 'it is no JSON object');
  const { manifestChecksum, ...value } = json;
  const { data, error } = shape.safeParse(isChecked ? value : json);
  const [issue] = error?.issues ?? [];
  // The format is checked first, because a newer version may make the checksum in another way.
  if (error?.issues.some(({ path }) => path.join('.') === 'format')) {
    throw unreadable(store, key, `this version does not read the format ${String(json['format'])}`);
  }
  if (isChecked && manifestChecksum !== checksumOf(value)) {
    throw unreadable(store, key, 'its content does not match its checksum');
  }
  if (issue) throw unreadable(store, key, `${issue.path.join('.')}: ${issue.message}`);
  return data;
}

/** JSON with a checksum of the rest as its last field, so that readers notice any changed byte. */
export function toJson(value: object): string {
  return `${JSON.stringify({ ...value, manifestChecksum: checksumOf(value) }, null, 2)}\n`;
}

/** Checksum of the JSON without blanks. */
function checksumOf(value: object): string {
  return formatChecksum(crc32(JSON.stringify(value)));
}

function objectIn(body: Buffer): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(body.toString('utf8'));
    const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
    return isObject ? (json as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function unreadable(store: Store, key: string, why: string): LonghaulError {
  const message = `${store.uri(key)} cannot be read: ${printable(why)}.`;
  return new LonghaulError('MANIFEST_UNREADABLE', message);
}

/** Lists one level of each day. A listing of every Parquet file would grow with the lake. */
async function manifestKeys(converted: Store, dataset: string): Promise<string[]> {
  const keysOfDay = async (day: string): Promise<string[]> => {
    const ingestDate = /^ingest_date=(\d{4}-\d{2}-\d{2})$/.exec(day)?.[1];
    const keys: string[] = [];
    if (ingestDate === undefined) return keys;
    for await (const { key } of converted.list(`${dayPrefix(dataset, ingestDate)}_manifest`))
      keys.push(key);
    return keys;
  };
  const days = await converted.folders(`${dataset}/`);
  return (await pMap(days, keysOfDay, { concurrency: REQUESTS_AT_ONCE })).flat();
}

/** Requests at once. In S3 each is a round trip, and a year has 365 days. S3 accepts far more than 16. */
const REQUESTS_AT_ONCE = 16;
