import { parseIngestDate } from './dates.ts';
import { parseDatasetName, parseSourceId } from './names.ts';

/** The keys of the lake have `/` on every system and are relative to the raw or the converted zone. */

/** Names of the folders of the two zones below the lake's address. */
export const ZONE_FOLDERS = { raw: 'takehome-raw', converted: 'takehome-converted' } as const;

export interface SnapshotRef {
  dataset: string;
  ingestDate: string;
  revision: number;
}

export interface SourceAt extends SnapshotRef {
  source: string;
}

/**
 * Spark and pyarrow skip a folder whose name starts with an underscore, so they do not read a day twice. The name has
 * no `=`: readers of Hive partitions would see a partition that the first revision lacks, and refuse both.
 */
function revisionFolder(revision: number): string {
  return revision === 1 ? '' : `_r${revision}/`;
}

export function dayPrefix(dataset: string, ingestDate: string): string {
  return `${dataset}/ingest_date=${ingestDate}/`;
}

/** The common start of the keys of all sources of a day's revision. */
export function sourcesPrefix(at: SnapshotRef): string {
  return `${dayPrefix(at.dataset, at.ingestDate)}${revisionFolder(at.revision)}source=`;
}

/** The folder of a source, in either zone. */
export function sourcePrefix(at: SourceAt): string {
  return `${sourcesPrefix(at)}${at.source}/`;
}

const SOURCE_KEY =
  /^[^/]+\/ingest_date=(\d{4}-\d{2}-\d{2})\/(?:_r([2-9]|[1-9]\d+)\/)?source=[^/]+\//;

/** The revision of a day in whose folder a source's file is; undefined for any other key. */
export function parseRevisionOfKey(
  key: string,
): { ingestDate: string; revision: number } | undefined {
  const [, ingestDate, revision = '1'] = SOURCE_KEY.exec(key) ?? [];
  return ingestDate === undefined ? undefined : { ingestDate, revision: Number(revision) };
}

/**
 * The key of a landing if another one of the same day and revision has its name: `source=a/_landing2/a.csv` and so on.
 * A landing never replaces another one, because another run may be about to publish that one.
 */
export function nextLandingKey(rawKey: string): string {
  return rawKey.replace(
    /(?:_landing(\d+)\/)?([^/]+)$/,
    (_, number: string | undefined, name: string) => `_landing${Number(number ?? 1) + 1}/${name}`,
  );
}

/** The name of a file in a source's folder, without the folder of a later landing. */
export function landingNameOf(relativeKey: string): string {
  return relativeKey.replace(/^_landing\d+\//, '');
}

export function landingManifestKey(rawKey: string): string {
  return `${rawKey}.manifest.json`;
}

/** Key of the manifest that says that `keep.raw` has removed the file and its landing manifest. */
export function rawRemovalKey(rawKey: string): string {
  return `${rawKey}.removed.json`;
}

/** Name of the file with a verified source's entry, in the source's folder. */
export const SOURCE_ENTRY_NAME = '_source.json';

export function sourceEntryKey(at: SourceAt): string {
  return sourcePrefix(at) + SOURCE_ENTRY_NAME;
}

/**
 * The start of the names of an attempt's parts. With it, two attempts never write the same key, and a run recognises
 * its own parts.
 */
export function partPrefix(runId: string, attempt: string): string {
  return `part-${runId.slice(-RUN_DIGITS)}-${attempt}-`;
}

/** Digits from the end of Temporal's run ids, which is random. */
const RUN_DIGITS = 8;

/** True if the key is that of a part of the run. */
export function isPartOfRun(key: string, runId: string): boolean {
  return key.slice(key.lastIndexOf('/') + 1).startsWith(`part-${runId.slice(-RUN_DIGITS)}-`);
}

/** The end of a part's name, after the attempt's `partPrefix`. */
export function partName(index: number): string {
  return `${String(index).padStart(5, '0')}.parquet`;
}

/** The key of an unfinished part on a disk. Spark and pyarrow skip files whose names start with a dot. */
export function partialPartKey(key: string): string {
  const at = key.lastIndexOf('/') + 1;
  return `${key.slice(0, at)}.${key.slice(at)}.partial`;
}

export function snapshotManifestKey(at: SnapshotRef): string {
  return manifestKey(at, '');
}

/** The manifest that says that a revision is not published any more. */
export function tombstoneKey(at: SnapshotRef): string {
  return manifestKey(at, '.unpublished');
}

/** The manifest that says that a revision's day is older than its dataset keeps days. */
export function endingKey(at: SnapshotRef): string {
  return manifestKey(at, '.ended');
}

/** The names of a revision's three manifests start alike, so that readers find them with one listing. */
function manifestKey({ dataset, ingestDate, revision }: SnapshotRef, mark: string): string {
  const name = revision === 1 ? '_manifest' : `_manifest.r${revision}`;
  return `${dayPrefix(dataset, ingestDate)}${name}${mark}.json`;
}

const MANIFEST_NAME =
  /^([^/]+)\/ingest_date=(\d{4}-\d{2}-\d{2})\/_manifest(?:\.r([2-9]|[1-9]\d+))?(?:\.(unpublished|ended))?\.json$/;

/** @returns undefined if the key is not that of a revision's manifest. `mark` says that it takes the revision back. */
export function parseManifestKey(
  key: string,
): { ref: SnapshotRef; mark: string | undefined } | undefined {
  const [found, dataset = '', ingestDate = '', revision = '1', mark] =
    MANIFEST_NAME.exec(key) ?? [];
  if (found === undefined) return undefined;
  return { ref: { dataset, ingestDate, revision: Number(revision) }, mark };
}

/** The folder of what a run needs between its steps, except the parts. */
export function stagingPrefix(runId: string): string {
  return `_staging/${runId}/`;
}

/** The folder of one source in the staging of a run. */
export function stagedSourcePrefix(runId: string, source: string): string {
  return `${stagingPrefix(runId)}${source}/`;
}

/** The folder of one attempt, for what it makes before its parts. */
export function attemptPrefix(runId: string, source: string, attempt: string | number): string {
  return `${stagedSourcePrefix(runId, source)}attempt=${attempt}/`;
}

/** The folder of one source for Spark: its input, its job, and the list of the parts that Spark has made. */
export function stagedSparkPrefix(runId: string, source: string): string {
  return `${stagedSourcePrefix(runId, source)}spark/`;
}

/** Key of the source's `SparkJob`. */
export function sparkJobKey(sparkPrefix: string): string {
  return `${sparkPrefix}job.json`;
}

/** The folder of the copies of the source that Spark reads. */
export function sparkShardsPrefix(sparkPrefix: string): string {
  return `${sparkPrefix}shards/`;
}

/** The folder of the run's jobs with many sources: an attempt's own files, and the starts without a result. */
export function sparkBatchPrefix(runId: string, what: string): string {
  return `${stagingPrefix(runId)}_spark/${what}/`;
}

/** Key of the run's own copy of a source's entry. Another host's run may replace `sourceEntryKey` meanwhile. */
export function stagedEntryKey(runId: string, source: string): string {
  return `${stagingPrefix(runId)}${source}/entry.json`;
}

/** Key of the schema that inspection found. Every engine reads it. */
export function stagedSchemaKey(runId: string, source: string): string {
  return `${stagedSourcePrefix(runId, source)}schema.json`;
}

/** The functions below recognise keys that a sweep may remove by their form. Other keys are published or foreign. */

export interface DayAt {
  dataset: string;
  ingestDate: string;
}

/** Recognises a file that only an unfinished landing, an unfinished part on a disk, or a killed writer leaves. */
export function parseLeftoverFile(
  zone: 'raw' | 'converted',
  key: string,
): (DayAt & { kind: 'partial' | 'checkpoint' | 'temporary' }) | undefined {
  const { day, source, file } = parseDayFile(key) ?? {};
  if (!day || file === undefined) return undefined;
  if (TEMPORARY_NAME.test(file)) return { ...day, kind: 'temporary' };
  const [found, checkpoint] = (zone === 'raw' ? PARTIAL : PARTIAL_PART).exec(file) ?? [];
  if (source === undefined || found === undefined) return undefined;
  return { ...day, kind: checkpoint === undefined ? 'partial' : 'checkpoint' };
}

/** Recognises a finished part. Its key does not say whether a manifest names it. */
export function parsePartKey(key: string): DayAt | undefined {
  return parseSourceFile(key, PART_NAME);
}

/** Recognises the key of a Longhaul upload: a source's file, with its own name or its partial one. */
export function parseUploadKey(key: string): DayAt | undefined {
  return parseSourceFile(key, FILE_NAME);
}

/** The owner of a key in the staging: a run's id, or the name of a doctor's check. Undefined for foreign folders. */
export function parseStagingKey(key: string): string | undefined {
  return STAGING.exec(key)?.[1];
}

/** Names from `landing/checkpoint.ts`. */
const PARTIAL = /^[A-Za-z0-9_-][A-Za-z0-9._-]*\.partial(\.checkpoint\.json)?$/;
/** Names from `partialPartKey`. */
const PARTIAL_PART = /^\.part-[\da-f]{8}-[\da-f]{8}-\d{5,}\.parquet\.partial$/;
/** Names from `storage/disk-store.ts`. */
const TEMPORARY_NAME = /^\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.tmp$/;
/** Names from `partPrefix` and `partName`: eight hex digits each of the run and of the attempt. */
const PART_NAME = /^part-[\da-f]{8}-[\da-f]{8}-\d{5,}\.parquet$/;
/** Names from `fileNameOf`. */
const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
/** Temporal's run ids, and the names of the checks of `landing/s3-check.ts`. */
const STAGING = /^_staging\/((?:doctor-)?[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\//;
/** Keys from `dayPrefix`, `sourcePrefix` and `nextLandingKey`. */
const DAY_FILE =
  /^([^/]+)\/ingest_date=([^/]+)\/(?:_r(?:[2-9]|[1-9]\d+)\/)?(?:source=([^/]+)\/(?:_landing(?:[2-9]|[1-9]\d+)\/)?)?([^/]+)$/;

function parseSourceFile(key: string, name: RegExp): DayAt | undefined {
  const { day, source, file = '' } = parseDayFile(key) ?? {};
  return source !== undefined && name.test(file) ? day : undefined;
}

/** @returns undefined unless Longhaul could have made the key. */
function parseDayFile(
  key: string,
): { day: DayAt; source: string | undefined; file: string } | undefined {
  const [, dataset = '', ingestDate = '', source, file = ''] = DAY_FILE.exec(key) ?? [];
  try {
    parseDatasetName(dataset);
    parseIngestDate(ingestDate);
    if (source !== undefined) parseSourceId(source);
  } catch {
    return undefined;
  }
  return { day: { dataset, ingestDate }, source, file };
}
