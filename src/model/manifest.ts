import type { Encoding, Engine } from './dataset.ts';
import type { Ledger } from './ledger.ts';
import type { CsvReading, CsvScan, Dialect } from './scan.ts';
import { parseRevisionOfKey } from './layout.ts';
import type { Schema } from './schema.ts';

/** `<raw>/…/<file name>.manifest.json`: what a landing is. Written last; readers trust it, never a listing. */
export interface LandingManifest {
  format: 'longhaul/landing/1';
  dataset: string;
  ingestDate: string;
  source: string;
  /** As it may be shown: see `shownAddress`. */
  url: string;
  /** Key of the file, relative to the raw zone. */
  rawKey: string;
  bytes: number;
  /** `crc32:` and 8 hex digits, over every byte. */
  checksum: string;
  validator: Validator;
  /** ISO 8601, UTC. */
  landedAt: string;
  scan: CsvScan;
  /** Where the bytes were made from a portal's table. */
  portal?: PortalTable;
}

export interface ParquetPart {
  /** Key relative to the converted zone. */
  key: string;
  rows: number;
  bytes: number;
  checksum: string;
}

/**
 * One source in a snapshot. Also stored alone beside its Parquet files as soon as it is verified
 * (`source=<id>/_source.json`), so that a retry of an incomplete day repeats only what failed.
 */
export interface SourceEntry extends Ledger {
  id: string;
  url: string;
  status: 'converted' | 'unchanged' | 'missing';
  bytes: number;
  checksum: string;
  validator: Validator;
  /** Key relative to the raw zone; of an earlier day where the source is unchanged. */
  rawKey: string;
  encoding: Encoding;
  /** How the file was read; absent of a missing source. */
  csv?: CsvReading;
  /** What it was scanned with: the landing's own scan may be of a later setting. Absent of a missing source. */
  dialect?: Dialect;
  /** Blank lines are declared here: they are not records. */
  blankLines: number;
  engine: Engine;
  schema: Schema;
  /** Where the raw file was made from a portal's table. */
  portal?: PortalTable;
  parquet: ParquetPart[];
  /** A hash of everything besides the bytes that decides the rows: engine, overrides, code's schema rules. */
  settingsKey: string;
}

/** `<converted>/…/_manifest.json` (`_manifest.r2.json`, … for later revisions): what a snapshot is. Written last. */
export interface SnapshotManifest {
  format: 'longhaul/snapshot/1';
  dataset: string;
  ingestDate: string;
  revision: number;
  status: 'published' | 'unchanged';
  runId: string;
  /** ISO 8601, UTC. */
  publishedAt: string;
  sources: SourceEntry[];
  ledger: Ledger;
}

/** A revision of a day of a dataset. */
export interface RevisionAt {
  ingestDate: string;
  revision: number;
}

/** For people and as the key of a map: `2026-11-23`, `2026-11-23 r2`. */
export function revisionText({ ingestDate, revision }: RevisionAt): string {
  return revision > 1 ? `${ingestDate} r${revision}` : ingestDate;
}

/**
 * `<converted>/…/_manifest.unpublished.json` (`_manifest.r2.unpublished.json`, …): that revision is published no more.
 * Nothing is removed for it, and nothing takes it back: the day is published again as its next revision.
 */
export interface Tombstone extends RevisionAt {
  format: 'longhaul/unpublished/1';
  dataset: string;
  reason: string;
  /** A user and host, or a run. */
  by: string;
  /** ISO 8601, UTC. */
  unpublishedAt: string;
  /** The earlier revision whose versions this one carries: it was unpublished, so this one was too. */
  because?: RevisionAt;
}

/**
 * `<converted>/…/_manifest.ended.json` (`_manifest.r2.ended.json`, …): the day is older than its dataset keeps days. It is
 * published no more, and its files go, but for those that another day carries. Where none is left, this goes too.
 */
export interface Ending extends RevisionAt {
  format: 'longhaul/ended/1';
  dataset: string;
  /** `keep.days` of the time. */
  keepDays: number;
  /** ISO 8601, UTC. */
  endedAt: string;
}

/** `<raw>/…/<file name>.removed.json`, in the place of a landing: `keep.raw` has removed it, so it is not lost. */
export interface RawRemoval {
  format: 'longhaul/raw-removed/1';
  dataset: string;
  rawKey: string;
  bytes: number;
  checksum: string;
  /** `keep.raw` of the time. */
  keepDays: number;
  /** ISO 8601, UTC. */
  removedAt: string;
}

/**
 * The other revisions in whose folders files of a snapshot lie: its unchanged sources' files, and landings that were
 * converted anew.
 */
export function carriedRevisions(manifest: SnapshotManifest): RevisionAt[] {
  const carried = new Map<string, RevisionAt>();
  for (const key of fileKeysOf(manifest)) {
    const at = parseRevisionOfKey(key);
    if (at) carried.set(revisionText(at), at);
  }
  carried.delete(revisionText(manifest));
  return [...carried.values()];
}

/** The keys of a snapshot's raw files and Parquet files; of a missing source an empty one. */
export function fileKeysOf({ sources }: SnapshotManifest): string[] {
  return sources.flatMap(({ rawKey, parquet }) => [rawKey, ...parquet.map(({ key }) => key)]);
}

/**
 * The day on which a source's version was published: of an unchanged source an earlier one, which the keys of its files
 * name. The Parquet files decide: a source that was converted anew, with other settings, keeps its landing of an
 * earlier day and has new rows.
 * @param ingestDate of the snapshot that has the entry.
 */
export function versionDateOf(
  { status, parquet, rawKey }: SourceEntry,
  ingestDate: string,
): string {
  if (status !== 'unchanged') return ingestDate;
  return parseRevisionOfKey(parquet[0]?.key ?? rawKey)?.ingestDate ?? ingestDate;
}

/** What pins a version of a source: compared as strings, never interpreted. */
export interface Validator {
  /** Strong only: a weak one does not promise equal bytes. */
  etag?: string;
  lastModified?: string;
}

/** Whether two versions can be distinguished. */
export function isPinned({ etag, lastModified }: Validator): boolean {
  return etag !== undefined || lastModified !== undefined;
}

/** Shown to be the same version: an ETag decides where both have one, else Last-Modified. */
export function isSameVersion(a: Validator, b: Validator): boolean {
  if (a.etag !== undefined && b.etag !== undefined) return a.etag === b.etag;
  return a.lastModified !== undefined && a.lastModified === b.lastModified;
}

/** Not shown to be another version: a server may leave out of an answer what it said before. */
export function mayBeSame(known: Validator, seen: Validator): boolean {
  if (known.etag !== undefined && seen.etag !== undefined) return known.etag === seen.etag;
  if (known.lastModified === undefined || seen.lastModified === undefined) return true;
  return known.lastModified === seen.lastModified;
}

/** Kinds of portals whose tables are read page by page, or whose file is found by the address of its page. */
export const PORTAL_KINDS = ['arcgis', 'socrata', 'ckan', 'opendatasoft', 'dcat'] as const;
export type PortalKind = (typeof PORTAL_KINDS)[number];

/** What a portal says of a table, and its CSV does not: part of a landing's manifest and of a source's entry. */
export interface PortalTable {
  kind: PortalKind;
  /** The address of the service, as it may be shown. */
  service: string;
  /** Longhaul wrote the CSV itself, from pages, in its one form. */
  isCanonical?: true;
  /** The records that the portal counts. Absent where it counts none. */
  records?: number;
  /** The publisher's column that tells records apart within one landing. It is no key between days: portals reload with new ids. */
  objectIdColumn?: string;
  /** Publisher's column → code → name: values are codes. */
  domains?: Record<string, Record<string, string>>;
  /** Publisher's column → values that are the empty text: Parquet has NULL for them, as for null. */
  emptyTexts?: Record<string, number>;
  /** Publisher's column → values that the portal sent as NaN or Infinity; the CSV has null for them. */
  notNumbers?: Record<string, number>;
  /** The zone in which the publisher says that it keeps dates, as it says so; the CSV has UTC without a zone. */
  dateZone?: string;
}
