import type { Encoding, Engine } from './dataset.ts';
import type { Ledger } from './ledger.ts';
import type { CsvReading, CsvScan, Dialect } from './scan.ts';
import { parseRevisionOfKey } from './layout.ts';
import type { Schema } from './schema.ts';

/** `<raw>/…/<file name>.manifest.json` describes a landing. A run writes it last; readers trust only it, no listing. */
export interface LandingManifest {
  format: 'longhaul/landing/1';
  dataset: string;
  ingestDate: string;
  source: string;
  /** The source's address without secrets: see `shownAddress`. */
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
  /** Present if Longhaul made the bytes from a portal's table. */
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
 * One source in a snapshot. As soon as a run has verified it, the run also stores it alone beside the Parquet files
 * (`source=<id>/_source.json`), so that a retry of an incomplete day repeats only what failed.
 */
export interface SourceEntry extends Ledger {
  id: string;
  url: string;
  status: 'converted' | 'unchanged' | 'missing';
  bytes: number;
  checksum: string;
  validator: Validator;
  /** Key relative to the raw zone. If the source is unchanged, it is of an earlier day. */
  rawKey: string;
  encoding: Encoding;
  /** How the file was read. Absent if the source is missing. */
  csv?: CsvReading;
  /** How this file was scanned; the landing's own scan may have a later setting. Absent if the source is missing. */
  dialect?: Dialect;
  /** Number of blank lines, which are not records. */
  blankLines: number;
  engine: Engine;
  schema: Schema;
  /** Present if Longhaul made the raw file from a portal's table. */
  portal?: PortalTable;
  parquet: ParquetPart[];
  /** A hash of everything except the bytes that decides the rows: engine, overrides, the code's schema rules. */
  settingsKey: string;
}

/** `<converted>/…/_manifest.json` (`_manifest.r2.json`, …) describes a snapshot. A run writes it last. */
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

/** `2026-11-23` or `2026-11-23 r2`, as text for the user and as the key of a map. */
export function revisionText({ ingestDate, revision }: RevisionAt): string {
  return revision > 1 ? `${ingestDate} r${revision}` : ingestDate;
}

/**
 * `<converted>/…/_manifest.unpublished.json` (`_manifest.r2.unpublished.json`, …) says that a revision is not published
 * any more. No file is removed, and no command undoes it. The next run publishes the day as its next revision.
 */
export interface Tombstone extends RevisionAt {
  format: 'longhaul/unpublished/1';
  dataset: string;
  reason: string;
  /** The user and host, or the run, that unpublished it. */
  by: string;
  /** ISO 8601, UTC. */
  unpublishedAt: string;
  /** Present if this revision carries versions of an earlier one, and was unpublished with that one. */
  because?: RevisionAt;
}

/**
 * `<converted>/…/_manifest.ended.json` (`_manifest.r2.ended.json`, …) says that a day is older than its dataset keeps
 * days. The day is not published any more, and sweeps remove its files, except those that another day carries. When no
 * file is left, a sweep removes this manifest too.
 */
export interface Ending extends RevisionAt {
  format: 'longhaul/ended/1';
  dataset: string;
  /** `keep.days` at that time. */
  keepDays: number;
  /** ISO 8601, UTC. */
  endedAt: string;
}

/** `<raw>/…/<file name>.removed.json` says that `keep.raw` has removed a landing, so that it does not count as lost. */
export interface RawRemoval {
  format: 'longhaul/raw-removed/1';
  dataset: string;
  rawKey: string;
  bytes: number;
  checksum: string;
  /** `keep.raw` at that time. */
  keepDays: number;
  /** ISO 8601, UTC. */
  removedAt: string;
}

/**
 * The other revisions whose folders have files of a snapshot: files of its unchanged sources, and landings that a run
 * converted again.
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

/** The keys of a snapshot's raw files and Parquet files. The raw key of a missing source is empty. */
export function fileKeysOf({ sources }: SnapshotManifest): string[] {
  return sources.flatMap(({ rawKey, parquet }) => [rawKey, ...parquet.map(({ key }) => key)]);
}

/**
 * The day on which a source's version was published. For an unchanged source, it is the earlier day in the keys of its
 * files. The Parquet files decide: if a run converts a source again with other settings, the source has new rows but
 * keeps its landing of an earlier day.
 * @param ingestDate day of the snapshot that has the entry.
 */
export function versionDateOf(
  { status, parquet, rawKey }: SourceEntry,
  ingestDate: string,
): string {
  if (status !== 'unchanged') return ingestDate;
  return parseRevisionOfKey(parquet[0]?.key ?? rawKey)?.ingestDate ?? ingestDate;
}

/** Identifies a version of a source. The values are compared as strings and never interpreted. */
export interface Validator {
  /** Only a strong ETag, because a weak one does not promise equal bytes. */
  etag?: string;
  lastModified?: string;
}

/** True if the validator can distinguish two versions. */
export function isPinned({ etag, lastModified }: Validator): boolean {
  return etag !== undefined || lastModified !== undefined;
}

/** True if both are certainly the same version. If both have an ETag, it decides, else Last-Modified. */
export function isSameVersion(a: Validator, b: Validator): boolean {
  if (a.etag !== undefined && b.etag !== undefined) return a.etag === b.etag;
  return a.lastModified !== undefined && a.lastModified === b.lastModified;
}

/** True unless both are certainly different versions. A server may omit in one answer what it sent in another. */
export function mayBeSame(known: Validator, seen: Validator): boolean {
  if (known.etag !== undefined && seen.etag !== undefined) return known.etag === seen.etag;
  if (known.lastModified === undefined || seen.lastModified === undefined) return true;
  return known.lastModified === seen.lastModified;
}

/** Kinds of portals. The worker reads their tables page by page, or finds a file by the address of its page. */
export const PORTAL_KINDS = ['arcgis', 'socrata', 'ckan', 'opendatasoft', 'dcat'] as const;
export type PortalKind = (typeof PORTAL_KINDS)[number];

/** Facts of a portal's table that its CSV does not have. Part of a landing's manifest and of a source's entry. */
export interface PortalTable {
  kind: PortalKind;
  /** The address of the service, without secrets. */
  service: string;
  /** True if Longhaul wrote the CSV itself from pages, in its canonical form. */
  isCanonical?: true;
  /** Number of records that the portal reports. Absent if it reports none. */
  records?: number;
  /** The publisher's column that identifies records within one landing. Portals may give records new ids each day. */
  objectIdColumn?: string;
  /** Publisher's column → code → name, for columns whose values are codes. */
  domains?: Record<string, Record<string, string>>;
  /** Publisher's column → number of empty texts. Parquet has NULL for them, as for null. */
  emptyTexts?: Record<string, number>;
  /** Publisher's column → number of values that the portal sent as NaN or Infinity. The CSV has null for them. */
  notNumbers?: Record<string, number>;
  /** The time zone of the dates in the publisher's own words. The CSV has the dates in UTC, without a zone. */
  dateZone?: string;
}
