/** The lake's keys: always with `/`, relative to the raw or the converted zone. See the design's "The lake". */

export interface SourceAt {
  dataset: string;
  ingestDate: string;
  source: string;
  revision: number;
}

/** Underscore folders are skipped by Spark and Hive readers, so a later revision never counts twice there. */
function revisionFolder(revision: number): string {
  return revision === 1 ? '' : `_revision=${revision}/`;
}

export function dayPrefix(dataset: string, ingestDate: string): string {
  return `${dataset}/ingest_date=${ingestDate}/`;
}

/** The folder of a source, in either zone. */
export function sourcePrefix(at: SourceAt): string {
  return `${dayPrefix(at.dataset, at.ingestDate)}${revisionFolder(at.revision)}source=${at.source}/`;
}

export function landingManifestKey(rawKey: string): string {
  return `${rawKey}.manifest.json`;
}

export function sourceEntryKey(at: SourceAt): string {
  return `${sourcePrefix(at)}_source.json`;
}

export function partName(index: number): string {
  return `part-${String(index).padStart(5, '0')}.parquet`;
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

/** Everything of a run that is not published yet lies below this. */
export function stagingPrefix(runId: string): string {
  return `_staging/${runId}/`;
}

/** Of one source of a run. */
export function stagedSourcePrefix(runId: string, source: string): string {
  return `${stagingPrefix(runId)}${source}/`;
}

/** One attempt's own place. */
export function attemptPrefix(runId: string, source: string, attempt: number): string {
  return `${stagedSourcePrefix(runId, source)}attempt=${attempt}/`;
}

/** The schema that inspection found, handed to every engine. */
export function stagedSchemaKey(runId: string, source: string): string {
  return `${stagedSourcePrefix(runId, source)}schema.json`;
}
