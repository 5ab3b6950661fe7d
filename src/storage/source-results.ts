import { createHash } from 'node:crypto';
import { shownAddress } from '../model/addresses.ts';
import type { SourceSpec, Engine } from '../model/dataset.ts';
import { parseRevisionOfKey, sourceEntryKey } from '../model/layout.ts';
import { balances } from '../model/ledger.ts';
import {
  revisionText,
  type LandingManifest,
  type SnapshotManifest,
  type SourceEntry,
} from '../model/manifest.ts';
import type {
  IngestResult,
  LandedSource,
  RunMode,
  SourceResult,
  SourceTask,
} from '../model/run.ts';
import { SOURCE_ENTRY, type StagedSchema } from './manifest-shapes.ts';
import { hasEnded, isUnpublished, listSnapshots, readManifest, readSnapshot } from './manifests.ts';
import type { Lake, Store } from './store.ts';

/** Raised when the rules that turn the same bytes into rows change. Workers then convert unchanged sources again. */
const SCHEMA_RULES_VERSION = 1;

/** Hash of everything besides the bytes that decides the rows. */
export function settingsKeyOf(source: SourceSpec, engine: Engine): string {
  const { encoding, delimiter, header, aliases, types } = source.overrides;
  const declared = Object.entries(types ?? {}).toSorted(([a], [b]) => a.localeCompare(b));
  const csv = [encoding ?? null, delimiter ?? null, header ?? null];
  const names = Object.entries(aliases ?? {}).toSorted(([a], [b]) => a.localeCompare(b));
  const decisive = [SCHEMA_RULES_VERSION, engine, ...csv, declared, names];
  return createHash('sha256').update(JSON.stringify(decisive)).digest('hex').slice(0, 16);
}

/** The entry of a source whose landing was converted to these parts. */
export function convertedEntry(
  { source, engine }: Pick<SourceTask, 'source' | 'engine'>,
  landing: LandingManifest,
  { encoding, csv }: Pick<StagedSchema, 'encoding' | 'csv'>,
  made: Pick<SourceEntry, 'schema' | 'rows' | 'parquet'>,
): SourceEntry {
  const { url, bytes, checksum, validator, rawKey, scan, portal } = landing;
  return {
    id: source.id,
    url,
    status: 'converted',
    bytes,
    checksum,
    records: scan.records,
    rows: made.rows,
    rejected: 0,
    validator,
    rawKey,
    encoding,
    csv,
    dialect: scan.dialect,
    blankLines: scan.blankLines,
    engine,
    schema: made.schema,
    ...(portal && { portal }),
    parquet: made.parquet,
    settingsKey: settingsKeyOf(source, engine),
  };
}

/** The entry of an optional source that the publisher did not provide. */
export function missingEntry(source: SourceSpec): SourceEntry {
  return {
    id: source.id,
    url: shownAddress(source.address),
    status: 'missing',
    bytes: 0,
    records: 0,
    rows: 0,
    rejected: 0,
    checksum: '',
    validator: {},
    rawKey: '',
    encoding: 'utf-8',
    blankLines: 0,
    engine: 'duckdb',
    schema: { columns: [] },
    parquet: [],
    settingsKey: settingsKeyOf(source, 'duckdb'),
  };
}

export function toSourceResult(
  lake: Lake,
  entry: SourceEntry,
  status = entry.status,
): SourceResult {
  return {
    id: entry.id,
    url: entry.url,
    status,
    bytes: entry.bytes,
    records: entry.records,
    rows: entry.rows,
    rejected: entry.rejected,
    checksum: entry.checksum,
    raw: entry.rawKey === '' ? '' : lake.raw.uri(entry.rawKey),
    parquet: entry.parquet.map(({ key, rows, bytes }) => ({
      path: lake.converted.uri(key),
      rows,
      bytes,
    })),
    csv: entry.csv,
  };
}

export function toLandedSource(
  raw: Store,
  { source: id, url, rawKey, bytes, checksum, scan }: LandingManifest,
): LandedSource {
  return {
    ...{ id, url, status: 'landed', bytes, checksum },
    ...{ records: scan.records, rows: 0, rejected: 0 },
    ...{ raw: raw.uri(rawKey), parquet: [], rawKey },
  };
}

export function toIngestResult(
  lake: Lake,
  manifest: SnapshotManifest,
  how: { mode: RunMode; status: IngestResult['status'] },
): IngestResult {
  return {
    dataset: manifest.dataset,
    ingestDate: manifest.ingestDate,
    mode: how.mode,
    status: how.status,
    revision: manifest.revision,
    sources: manifest.sources.map((entry) => toSourceResult(lake, entry)),
    ledger: { ...manifest.ledger, balanced: balances(manifest.ledger) },
  };
}

/** The snapshot that readers see before this one is published; undefined for the first. */
export async function previousSnapshot(
  converted: Store,
  at: { dataset: string; ingestDate: string; revision: number },
): Promise<SnapshotManifest | undefined> {
  const refs = await listSnapshots(converted, at.dataset);
  const last = refs.findLast(
    (ref) =>
      ref.ingestDate < at.ingestDate ||
      (ref.ingestDate === at.ingestDate && ref.revision < at.revision),
  );
  return last && (await readSnapshot(converted, last));
}

/** The source's entry in the previous snapshot. Undefined if the source was missing, because it then has no files. */
export function previousEntry(
  previous: SnapshotManifest | undefined,
  id: string,
): SourceEntry | undefined {
  return previous?.sources.find((entry) => entry.id === id && entry.status !== 'missing');
}

/** The entry that an earlier run of this unpublished day verified, if the settings are still the same. */
export async function finishedEntry(
  converted: Store,
  task: Pick<SourceTask, 'dataset' | 'ingestDate' | 'revision' | 'source' | 'engine'>,
): Promise<SourceEntry | undefined> {
  const at = { ...task, source: task.source.id };
  const entry = await readManifest(converted, sourceEntryKey(at), SOURCE_ENTRY);
  if (entry?.settingsKey !== settingsKeyOf(task.source, task.engine)) return undefined;
  const landedAt = parseRevisionOfKey(entry.rawKey);
  if (landedAt && revisionText(landedAt) !== revisionText(task)) {
    const landed = { ...task, ...landedAt };
    // The source was converted again from an earlier day's landing, and that day was unpublished, or ended, since.
    if (await isUnpublished(converted, landed)) return undefined;
    if (await hasEnded(converted, landed)) return undefined;
  }
  return (await arePartsThere(converted, entry)) ? entry : undefined;
}

export async function arePartsThere(converted: Store, { parquet }: SourceEntry): Promise<boolean> {
  const sizes = await Promise.all(
    parquet.map(async ({ key, bytes }) => (await converted.size(key)) === bytes),
  );
  return sizes.every(Boolean);
}
