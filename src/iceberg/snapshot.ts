import { randomUUID } from 'node:crypto';
import pMap from 'p-map';
import { LonghaulError } from '../model/errors.ts';
import type { ParquetPart } from '../model/manifest.ts';
import { readFooter } from '../verification/footers.ts';
import { castPart, castPrefix, type CastOptions } from './cast.ts';
import { dataFileOf, fits, int32 } from './data-file.ts';
import type { Content } from './days.ts';
import {
  encodeManifest,
  encodeManifestList,
  ENTRY_STATUS,
  type DataFile,
  type ManifestEntry,
  type ManifestInList,
} from './manifest-files.ts';
import type { TableSnapshot } from './metadata.ts';
import { liveEntries, tableFileKey, type TableFolder } from './read-snapshot.ts';
import type { IcebergSchema } from './table-schema.ts';

/** Footers read, or files cast, at once. */
const FILES_AT_ONCE = 8;

export interface SnapshotOptions extends CastOptions {
  /** The table's folder. */
  prefix: string;
  id: number;
  sequenceNumber: number;
  timestampMs: number;
  schema: IcebergSchema;
  parent: TableSnapshot | undefined;
  content: Content;
  /** What it is, besides the counts. */
  summary: Record<string, string>;
}

/** A file that a snapshot has: carried over from its parent, or new in it. */
interface Member {
  file: DataFile;
  carried: ManifestEntry | undefined;
}

/**
 * Writes the manifest and the manifest list of a snapshot, and no file of rows but where a file does not have the
 * table's types. Nothing refers to them until the table's metadata does.
 * @throws LonghaulError LAKE_CORRUPT, TABLE_UNREADABLE, ENGINE_…, STORE_….
 */
export async function writeSnapshot(options: SnapshotOptions): Promise<TableSnapshot> {
  const { id, sequenceNumber, parent, schema } = options;
  const before = parent ? await liveEntries(options, parent) : new Map<string, ManifestEntry>();
  const members = await membersOf(options, before);
  const paths = new Set(members.map(({ file }) => file.file_path));
  const entries = [
    ...members.map(({ file, carried }): ManifestEntry => {
      if (carried) return { ...carried, status: ENTRY_STATUS.existing, data_file: file };
      return addedEntry(file, options);
    }),
    ...[...before.values()]
      .filter(({ data_file: file }) => !paths.has(file.file_path))
      .map((entry) => ({ ...entry, status: ENTRY_STATUS.deleted, snapshot_id: id })),
  ];
  const list = `${options.prefix}metadata/snap-${id}-${randomUUID()}.avro`;
  const manifests = entries.length > 0 ? [await writeManifest(options, entries)] : [];
  const { converted } = options;
  await converted.put(
    list,
    encodeManifestList(manifests, { id, parentId: parent?.['snapshot-id'], sequenceNumber }),
  );
  return {
    'snapshot-id': id,
    ...(parent ? { 'parent-snapshot-id': parent['snapshot-id'] } : {}),
    'sequence-number': sequenceNumber,
    'timestamp-ms': options.timestampMs,
    'manifest-list': converted.uri(list),
    'schema-id': schema['schema-id'],
    summary: { ...countsOf(entries), ...options.summary },
  };
}

function addedEntry(
  file: DataFile,
  { id, sequenceNumber }: Pick<SnapshotOptions, 'id' | 'sequenceNumber'>,
): ManifestEntry {
  return {
    status: ENTRY_STATUS.added,
    snapshot_id: id,
    sequence_number: sequenceNumber,
    file_sequence_number: sequenceNumber,
    data_file: file,
  };
}

/** The ids of the sources that a snapshot has files of. */
export async function sourcesOf(options: TableFolder, snapshot: TableSnapshot): Promise<string[]> {
  const entries = await liveEntries(options, snapshot);
  return [...entries.values()].map(({ data_file: file }) => file.partition.source);
}

async function membersOf(
  options: SnapshotOptions,
  before: ReadonlyMap<string, ManifestEntry>,
): Promise<Member[]> {
  const parts = options.content.sources.flatMap(({ entry, versionDate }) =>
    entry.parquet.map((part) => ({ part, entry, versionDate })),
  );
  return await pMap(
    parts,
    async ({ part, entry, versionDate }) => {
      const partition = { source: entry.id, ingest_date: daysSinceEpoch(versionDate) };
      return await memberOf(options, before, { part, columns: entry.schema.columns, partition });
    },
    { concurrency: FILES_AT_ONCE },
  );
}

interface WantedFile {
  part: ParquetPart;
  columns: Content['sources'][number]['entry']['schema']['columns'];
  partition: DataFile['partition'];
}

/** The part itself; where its columns are not of the table's types, a copy that has them. */
async function memberOf(
  options: SnapshotOptions,
  before: ReadonlyMap<string, ManifestEntry>,
  { part, columns, partition }: WantedFile,
): Promise<Member> {
  const { converted, prefix, parent, schema } = options;
  const { fields } = schema;
  const own = before.get(converted.uri(part.key));
  const hasSameTypes = parent?.['schema-id'] === schema['schema-id'];
  if (own && hasSameTypes) return { file: own.data_file, carried: own };
  const cast = { part, columns, fields };
  const copies = converted.uri(castPrefix(prefix, cast));
  const copied = [...before.values()].find(({ data_file: file }) =>
    file.file_path.startsWith(copies),
  );
  if (copied && hasSameTypes) return { file: copied.data_file, carried: copied };
  const asIs = await readPart(options, part.key, part.rows);
  if (fits(asIs.footer, fields)) {
    return { file: dataFileOf(converted.uri(part.key), asIs, partition, fields), carried: own };
  }
  const key = copied
    ? tableFileKey(prefix, 'data', copied.data_file.file_path)
    : await castPart(prefix, cast, options);
  const copy = await readPart(options, key, part.rows);
  return { file: dataFileOf(converted.uri(key), copy, partition, fields), carried: copied };
}

async function readPart({ converted }: SnapshotOptions, key: string, rows: number) {
  const file = await readFooter(converted, key);
  if (Number(file.footer.num_rows) === rows) return file;
  const what = `${converted.uri(key)} has ${Number(file.footer.num_rows)} rows, and should have ${rows}.`;
  throw new LonghaulError('LAKE_CORRUPT', what);
}

async function writeManifest(
  { converted, prefix, id, sequenceNumber, schema }: SnapshotOptions,
  entries: readonly ManifestEntry[],
): Promise<ManifestInList> {
  const key = `${prefix}metadata/${randomUUID()}-m0.avro`;
  const body = encodeManifest(entries, schema);
  await converted.put(key, body);
  const { added, existing, deleted } = byStatus(entries);
  const live = [...added, ...existing].map((entry) => entry.sequence_number);
  return {
    manifest_path: converted.uri(key),
    manifest_length: body.length,
    partition_spec_id: 0,
    content: 0,
    sequence_number: sequenceNumber,
    min_sequence_number: live.reduce((a, b) => Math.min(a, b), sequenceNumber),
    added_snapshot_id: id,
    added_files_count: added.length,
    existing_files_count: existing.length,
    deleted_files_count: deleted.length,
    added_rows_count: rowsOf(added),
    existing_rows_count: rowsOf(existing),
    deleted_rows_count: rowsOf(deleted),
    partitions: partitionRanges(entries),
  };
}

function byStatus(
  entries: readonly ManifestEntry[],
): Record<keyof typeof ENTRY_STATUS, ManifestEntry[]> {
  const of = (wanted: number): ManifestEntry[] => entries.filter(({ status }) => status === wanted);
  return {
    added: of(ENTRY_STATUS.added),
    existing: of(ENTRY_STATUS.existing),
    deleted: of(ENTRY_STATUS.deleted),
  };
}

function rowsOf(entries: readonly ManifestEntry[]): number {
  return entries.reduce((sum, { data_file: file }) => sum + file.record_count, 0);
}

function partitionRanges(entries: readonly ManifestEntry[]): ManifestInList['partitions'] {
  const partitions = entries.map(({ data_file: file }) => file.partition);
  const sources = partitions
    .map(({ source }) => Buffer.from(source))
    .toSorted((a, b) => Buffer.compare(a, b));
  const days = partitions.map((each) => each.ingest_date).toSorted((a, b) => a - b);
  const dayBytes = (day: number | undefined): Buffer | null =>
    day === undefined ? null : int32(day);
  return [
    {
      contains_null: false,
      lower_bound: sources[0] ?? null,
      upper_bound: sources.at(-1) ?? null,
    },
    { contains_null: false, lower_bound: dayBytes(days[0]), upper_bound: dayBytes(days.at(-1)) },
  ];
}

/** By the specification's names. */
function countsOf(entries: readonly ManifestEntry[]): Record<string, string> {
  const { added, existing, deleted } = byStatus(entries);
  const live = [...added, ...existing];
  const operation = deleted.length === 0 ? 'append' : added.length === 0 ? 'delete' : 'overwrite';
  const counts = {
    'added-data-files': added.length,
    'added-records': rowsOf(added),
    'deleted-data-files': deleted.length,
    'deleted-records': rowsOf(deleted),
    'total-data-files': live.length,
    'total-records': rowsOf(live),
  };
  const texts = Object.entries(counts).map(([name, count]) => [name, String(count)] as const);
  return { operation, ...Object.fromEntries(texts) };
}

const DAY_MS = 86_400_000;

/** @param date YYYY-MM-DD. */
function daysSinceEpoch(date: string): number {
  return Date.parse(date) / DAY_MS;
}
