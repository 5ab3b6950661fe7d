import { stat } from 'node:fs/promises';
import {
  parseConvertedLeftover,
  parsePartKey,
  parseRawLeftover,
  parseStagingKey,
  parseUploadKey,
  type DayAt,
  type LeftoverFile,
} from '../model/leftover-keys.ts';
import { LonghaulError } from '../model/errors.ts';
import { landingManifestKey, stagingPrefix } from '../model/layout.ts';
import { parseDatasetName } from '../model/names.ts';
import { LEFTOVER_KINDS, type SweptFile } from '../model/sweep.ts';
import { DiskStore } from './disk-store.ts';
import { unnamedParts } from './parts.ts';
import { S3Store } from './s3/s3-store.ts';
import { unfinishedUploads } from './s3/unfinished-uploads.ts';
import type { Lake, Store, StoredObject } from './store.ts';

/** What belongs together and goes together: one unfinished landing or part, one temporary file, one run's staging. */
export interface Leftover {
  /** Whose it is, if that run is under way: the one of a day, or the one of an id. */
  holder: DayAt | { runId: string };
  /** Of the piece that changed last. Unix, ms. */
  modifiedAtMs: number;
  /** In the order in which they must go. */
  pieces: Piece[];
}

export interface Piece extends Pick<SweptFile, 'kind' | 'zone' | 'key' | 'bytes'> {
  /** No error where it is gone already. */
  remove: () => Promise<void>;
}

export interface FoundLeftovers {
  /** Untouched for as long as was asked. */
  old: Leftover[];
  /** Pieces of the others. */
  younger: number;
}

export interface AgeLimit {
  olderThanMs: number;
  nowMs: number;
  signal: AbortSignal;
}

/**
 * Everything in a lake that no finished work needs, by keys and, of whole parts, by what the manifests name: published
 * snapshots, landings with their manifest, and whatever is not named as this program names things are no leftovers.
 * Whether a run still holds it is for the caller to ask.
 */
export async function findLeftovers(lake: Lake, limit: AgeLimit): Promise<FoundLeftovers> {
  const found = new Collection(limit.signal);
  await collectFiles(found, 'raw', lake.raw);
  await collectUploads(found, 'raw', lake.raw);
  // S3 writes whole or not at all: no temporaries there, and no partial parts but uploads.
  if (!(lake.converted instanceof S3Store)) await collectFiles(found, 'converted', lake.converted);
  await collectUploads(found, 'converted', lake.converted);
  await collectParts(found, lake.converted);
  await collectStaging(found, 'raw', lake.raw);
  await collectStaging(found, 'converted', lake.converted);
  const all = found.leftovers();
  const isOld = ({ modifiedAtMs }: Leftover): boolean =>
    Math.max(0, limit.nowMs - modifiedAtMs) >= limit.olderThanMs;
  const young = all.filter((each) => !isOld(each));
  return {
    old: all.filter((each) => isOld(each)),
    younger: young.reduce((sum, { pieces }) => sum + pieces.length, 0),
  };
}

class Collection {
  readonly #signal: AbortSignal;
  readonly #leftovers = new Map<string, Leftover>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** @param name what the pieces of one leftover have in common. */
  add(name: string, holder: Leftover['holder'], modifiedAtMs: number, piece: Piece): void {
    this.#signal.throwIfAborted();
    // A store that tells no time tells no age either: then it is as good as new.
    const at = modifiedAtMs > 0 ? modifiedAtMs : Infinity;
    const present = this.#leftovers.get(name);
    if (present) {
      present.modifiedAtMs = Math.max(present.modifiedAtMs, at);
      present.pieces.push(piece);
    } else {
      this.#leftovers.set(name, { holder, modifiedAtMs: at, pieces: [piece] });
    }
  }

  leftovers(): Leftover[] {
    for (const { pieces } of this.#leftovers.values()) pieces.sort(byOrderOfRemoval);
    return [...this.#leftovers.values()];
  }
}

function byOrderOfRemoval(a: Piece, b: Piece): number {
  return LEFTOVER_KINDS.indexOf(a.kind) - LEFTOVER_KINDS.indexOf(b.kind);
}

/** A dataset at a time: what else lies in the zone is not even listed. */
async function collectFiles(
  found: Collection,
  zone: SweptFile['zone'],
  store: Store,
): Promise<void> {
  const parse = zone === 'raw' ? parseRawLeftover : parseConvertedLeftover;
  for (const folder of await store.folders('')) {
    if (!isDatasetName(folder)) continue;
    const manifests = new Set<string>();
    const files: { file: LeftoverFile; object: StoredObject }[] = [];
    for await (const object of store.list(`${folder}/`)) {
      const file = parse(object.key);
      if (file) files.push({ file, object });
      else if (object.key.endsWith(MANIFEST_SUFFIX)) manifests.add(object.key);
    }
    for (const { file, object } of files) {
      const { key, bytes, modifiedAtMs } = object;
      // A publisher's file may itself be called `x.partial`: landed, it has a manifest.
      if (manifests.has(landingManifestKey(key))) continue;
      const remove = async (): Promise<void> => await store.delete(key);
      const name = `${zone}/${file.kind === 'temporary' ? key : file.wholeKey}`;
      const day = { dataset: file.dataset, ingestDate: file.ingestDate };
      found.add(name, day, modifiedAtMs, { kind: file.kind, zone, key, bytes, remove });
    }
  }
}

const MANIFEST_SUFFIX = landingManifestKey('');

async function collectUploads(
  found: Collection,
  zone: SweptFile['zone'],
  store: Store,
): Promise<void> {
  if (!(store instanceof S3Store)) return;
  for await (const upload of unfinishedUploads(store.zone, '', (key) => !!parseUploadKey(key))) {
    const at = parseUploadKey(upload.key);
    if (!at) continue;
    const { key, bytes, modifiedAtMs, abort } = upload;
    const piece: Piece = { kind: 'upload', zone, key, bytes, remove: abort };
    const { dataset, ingestDate, rawKey } = at;
    found.add(`${zone}/${rawKey}`, { dataset, ingestDate }, modifiedAtMs, piece);
  }
}

/** A dataset with a manifest that cannot be read keeps all of its parts: it may name them. */
async function collectParts(found: Collection, converted: Store): Promise<void> {
  for (const dataset of await converted.folders('')) {
    if (!isDatasetName(dataset)) continue;
    const parts = await unnamedParts(converted, { dataset, prefix: `${dataset}/` }).catch(
      noneIfCorrupt,
    );
    for (const { key, bytes, modifiedAtMs } of parts) {
      const day = parsePartKey(key);
      const remove = async (): Promise<void> => await converted.delete(key);
      const piece: Piece = { kind: 'part', zone: 'converted', key, bytes, remove };
      if (day) found.add(`converted/${key}`, day, modifiedAtMs, piece);
    }
  }
}

function noneIfCorrupt(error: unknown): StoredObject[] {
  if (error instanceof LonghaulError && error.code === 'LAKE_CORRUPT') return [];
  throw error;
}

/** A run's staging is one leftover: all of it is the run's, and nothing of it is of use without the run. */
async function collectStaging(
  found: Collection,
  zone: SweptFile['zone'],
  store: Store,
): Promise<void> {
  const runs = new Map<string, { bytes: number; modifiedAtMs: number }>();
  const note = (key: string, bytes: number, modifiedAtMs: number): void => {
    const runId = parseStagingKey(key);
    if (runId === undefined) return;
    const run = runs.get(runId) ?? { bytes: 0, modifiedAtMs: 0 };
    run.bytes += bytes;
    run.modifiedAtMs = Math.max(run.modifiedAtMs, modifiedAtMs);
    runs.set(runId, run);
  };
  for await (const { key, bytes, modifiedAtMs } of emptyFolders(store))
    note(key, bytes, modifiedAtMs);
  for await (const { key, bytes, modifiedAtMs } of store.list(STAGING))
    note(key, bytes, modifiedAtMs);
  if (store instanceof S3Store) {
    const isOurs = (key: string): boolean => parseStagingKey(key) !== undefined;
    for await (const upload of unfinishedUploads(store.zone, STAGING, isOurs)) {
      note(upload.key, upload.bytes, upload.modifiedAtMs);
    }
  }
  for (const [runId, { bytes, modifiedAtMs }] of runs) {
    const key = stagingPrefix(runId);
    const remove = async (): Promise<void> => await store.deletePrefix(key);
    const piece: Piece = { kind: 'staging', zone, key, bytes, remove };
    found.add(`${zone}/${key}`, { runId }, modifiedAtMs, piece);
  }
}

const STAGING = '_staging/';

/** A disk's folders outlive their files, and are made before these. */
async function* emptyFolders(store: Store): AsyncIterable<StoredObject> {
  if (!(store instanceof DiskStore)) return;
  for (const name of await store.folders(STAGING)) {
    const key = `${STAGING}${name}/`;
    const found = await stat(store.uri(key)).catch(() => undefined);
    if (found) yield { key, bytes: 0, modifiedAtMs: found.mtimeMs };
  }
}

function isDatasetName(name: string): boolean {
  try {
    return parseDatasetName(name) === name;
  } catch {
    return false;
  }
}
