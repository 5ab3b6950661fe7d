import { parseIngestDate } from './dates.ts';
import { parseDatasetName, parseSourceId } from './names.ts';

/** The lake's keys: always with `/`, relative to the raw or the converted zone. See the design's "The lake". */

/** The two zones, by their folders' names below the lake's address. */
export const ZONE_FOLDERS = { raw: 'takehome-raw', converted: 'takehome-converted' } as const;

export interface SourceAt {
  dataset: string;
  ingestDate: string;
  source: string;
  revision: number;
}

/**
 * Spark and pyarrow skip a folder with an underscore, so a later revision does not count twice there. Its name has no
 * `=`: readers of Hive partitions would take it for a partition that the first revision lacks, and refuse both.
 */
function revisionFolder(revision: number): string {
  return revision === 1 ? '' : `_r${revision}/`;
}

export function dayPrefix(dataset: string, ingestDate: string): string {
  return `${dataset}/ingest_date=${ingestDate}/`;
}

/** What the keys of all sources of a day's revision start with. */
export function sourcesPrefix(at: Omit<SourceAt, 'source'>): string {
  return `${dayPrefix(at.dataset, at.ingestDate)}${revisionFolder(at.revision)}source=`;
}

/** The folder of a source, in either zone. */
export function sourcePrefix(at: SourceAt): string {
  return `${sourcesPrefix(at)}${at.source}/`;
}

const SOURCE_KEY =
  /^[^/]+\/ingest_date=(\d{4}-\d{2}-\d{2})\/(?:_r([2-9]|[1-9]\d+)\/)?source=[^/]+\//;

/** The other way round: the day's revision in whose folder a source's file lies; undefined for another key. */
export function parseRevisionOfKey(
  key: string,
): { ingestDate: string; revision: number } | undefined {
  const [, ingestDate, revision = '1'] = SOURCE_KEY.exec(key) ?? [];
  return ingestDate === undefined ? undefined : { ingestDate, revision: Number(revision) };
}

/**
 * Where a landing goes whose name another one of the same day and revision has: `source=a/_landing2/a.csv` and so on.
 * No landing takes the place of another: the run that made it may be about to publish it.
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

/** Says that the file and its manifest were removed on purpose. */
export function rawRemovalKey(rawKey: string): string {
  return `${rawKey}.removed.json`;
}

/** The file that says what a verified source is, in its folder. */
export const SOURCE_ENTRY_NAME = '_source.json';

export function sourceEntryKey(at: SourceAt): string {
  return sourcePrefix(at) + SOURCE_ENTRY_NAME;
}

/**
 * What the names of an attempt's parts start with: two attempts at once never write the same key, and a run knows its
 * own.
 */
export function partPrefix(runId: string, attempt: string): string {
  return `part-${runId.slice(-RUN_DIGITS)}-${attempt}-`;
}

/** The random end of Temporal's run ids. */
const RUN_DIGITS = 8;

/** Whether a key is of a part of that run. */
export function isPartOfRun(key: string, runId: string): boolean {
  return key.slice(key.lastIndexOf('/') + 1).startsWith(`part-${runId.slice(-RUN_DIGITS)}-`);
}

/** Behind the attempt's `partPrefix`. */
export function partName(index: number): string {
  return `${String(index).padStart(5, '0')}.parquet`;
}

/** The key of a part on a disk that is not whole: Spark and pyarrow read every file of a folder but those named with a dot first. */
export function partialPartKey(key: string): string {
  const at = key.lastIndexOf('/') + 1;
  return `${key.slice(0, at)}.${key.slice(at)}.partial`;
}

export function snapshotManifestKey(dataset: string, ingestDate: string, revision: number): string {
  const name = revision === 1 ? '_manifest.json' : `_manifest.r${revision}.json`;
  return dayPrefix(dataset, ingestDate) + name;
}

const MANIFEST_NAME =
  /^([^/]+)\/ingest_date=(\d{4}-\d{2}-\d{2})\/_manifest(?:\.r([2-9]|[1-9]\d+))?\.json$/;

/** The other way round; undefined for a key that is no snapshot manifest. */
export function parseSnapshotManifestKey(
  key: string,
): { dataset: string; ingestDate: string; revision: number } | undefined {
  const match = MANIFEST_NAME.exec(key);
  if (!match) return undefined;
  const [, dataset = '', ingestDate = '', revision = '1'] = match;
  return { dataset, ingestDate, revision: Number(revision) };
}

/** Behind the name of a revision's manifest: readers find all three by one listing. */
const TOMBSTONE_END = '.unpublished.json';
const ENDING_END = '.ended.json';

/** The manifest that says that a revision is not published any more. */
export function tombstoneKey(dataset: string, ingestDate: string, revision: number): string {
  return snapshotManifestKey(dataset, ingestDate, revision).replace(/\.json$/, TOMBSTONE_END);
}

/** The manifest that says that a revision's day is older than its dataset keeps days. */
export function endingKey(dataset: string, ingestDate: string, revision: number): string {
  return snapshotManifestKey(dataset, ingestDate, revision).replace(/\.json$/, ENDING_END);
}

export function parseTombstoneKey(key: string): ReturnType<typeof parseSnapshotManifestKey> {
  return parseKeyBeside(key, TOMBSTONE_END);
}

export function parseEndingKey(key: string): ReturnType<typeof parseSnapshotManifestKey> {
  return parseKeyBeside(key, ENDING_END);
}

function parseKeyBeside(key: string, end: string): ReturnType<typeof parseSnapshotManifestKey> {
  if (!key.endsWith(end)) return undefined;
  return parseSnapshotManifestKey(`${key.slice(0, -end.length)}.json`);
}

/** What a run needs between its steps, besides the parts, lies below this. */
export function stagingPrefix(runId: string): string {
  return `_staging/${runId}/`;
}

/** The staging of one source of a run. */
export function stagedSourcePrefix(runId: string, source: string): string {
  return `${stagingPrefix(runId)}${source}/`;
}

/** One attempt's own place: what it makes on its way to its parts. */
export function attemptPrefix(runId: string, source: string, attempt: string | number): string {
  return `${stagedSourcePrefix(runId, source)}attempt=${attempt}/`;
}

/** Of one source, for Spark: what it reads and is to do, and then which parts it has made. */
export function stagedSparkPrefix(runId: string, source: string): string {
  return `${stagedSourcePrefix(runId, source)}spark/`;
}

/** What Spark is to do with the source: a `SparkJob`. */
export function sparkJobKey(sparkPrefix: string): string {
  return `${sparkPrefix}job.json`;
}

/** The copies of the source that Spark reads. */
export function sparkShardsPrefix(sparkPrefix: string): string {
  return `${sparkPrefix}shards/`;
}

/** Of the run's jobs with many sources: an attempt's own files, and the starts that have no result. */
export function sparkBatchPrefix(runId: string, what: string): string {
  return `${stagingPrefix(runId)}_spark/${what}/`;
}

/** What a run has verified of a source: another host's run may replace `sourceEntryKey` before this one publishes. */
export function stagedEntryKey(runId: string, source: string): string {
  return `${stagingPrefix(runId)}${source}/entry.json`;
}

/** The schema that inspection found: the input of every engine. */
export function stagedSchemaKey(runId: string, source: string): string {
  return `${stagedSourcePrefix(runId, source)}schema.json`;
}

/** Keys that a sweep may remove, recognised by their form alone. Every other key is published, or not Longhaul's. */

export interface DayAt {
  dataset: string;
  ingestDate: string;
}

/** A file that only an unfinished landing, an unfinished part on a disk, or a killed writer leaves. */
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

/** A whole part. Its key does not say whether a manifest names it. */
export function parsePartKey(key: string): DayAt | undefined {
  return parseSourceFile(key, PART_NAME);
}

/** A key that an upload of ours is for: a source's file, under its own name or its partial one. */
export function parseUploadKey(key: string): DayAt | undefined {
  return parseSourceFile(key, FILE_NAME);
}

/** Whose staging a key lies in: the run's id, or the name of a doctor's check. Other folders there are not ours. */
export function parseStagingKey(key: string): string | undefined {
  return STAGING.exec(key)?.[1];
}

/** As `landing/checkpoint.ts` names them. */
const PARTIAL = /^[A-Za-z0-9_-][A-Za-z0-9._-]*\.partial(\.checkpoint\.json)?$/;
/** As `layout.ts` names them. */
const PARTIAL_PART = /^\.part-[\da-f]{8}-[\da-f]{8}-\d{5,}\.parquet\.partial$/;
/** As `storage/disk-store.ts` names them. */
const TEMPORARY_NAME = /^\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.tmp$/;
/** As `layout.ts` makes them: of the run and of the attempt, eight hex digits each. */
const PART_NAME = /^part-[\da-f]{8}-[\da-f]{8}-\d{5,}\.parquet$/;
/** As `fileNameOf` makes them. */
const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
/** As Temporal numbers its runs, and as `landing/s3-check.ts` names its checks. */
const STAGING = /^_staging\/((?:doctor-)?[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\//;
/** As `layout.ts` makes them. */
const DAY_FILE =
  /^([^/]+)\/ingest_date=([^/]+)\/(?:_r(?:[2-9]|[1-9]\d+)\/)?(?:source=([^/]+)\/(?:_landing(?:[2-9]|[1-9]\d+)\/)?)?([^/]+)$/;

function parseSourceFile(key: string, name: RegExp): DayAt | undefined {
  const { day, source, file = '' } = parseDayFile(key) ?? {};
  return source !== undefined && name.test(file) ? day : undefined;
}

/** Undefined unless the names are ones that this program gives, in the places where it puts them. */
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
