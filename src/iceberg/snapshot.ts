import { randomUUID } from 'node:crypto';
import pMap from 'p-map';
import { LonghaulError } from '../model/errors.ts';
import { int32 } from './data-file.ts';
import {
  decodeAvro,
  encodeManifest,
  encodeManifestList,
  ENTRY_STATUS,
  type ManifestEntry,
  type ManifestInList,
} from './manifest-files.ts';
import { membersOf, type MemberOptions } from './members.ts';
import { tableFileKey, type TableFolder, type TableSnapshot } from './metadata.ts';
import type { IcebergSchema, PartitionSpec } from './table-schema.ts';

/** The content of a snapshot: the keys of its own files, its manifests, and their entries that it still has. */
export interface SnapshotFiles {
  keys: string[];
  manifests: ManifestInList[];
  entries: ManifestEntry[];
}

/** Limit of a snapshot's manifests. Below it, a snapshot adds one to its parent's, as Iceberg's own writers do. */
const MAX_MANIFESTS = 100;

export interface SnapshotOptions extends Omit<MemberOptions, 'fields' | 'before'> {
  /** The table's folder. */
  prefix: string;
  id: number;
  sequenceNumber: number;
  timestampMs: number;
  schema: IcebergSchema;
  spec: PartitionSpec;
  parent: { snapshot: TableSnapshot; schema: IcebergSchema } | undefined;
  /** Properties of the summary besides the counts. */
  summary: Record<string, string>;
}

/**
 * Writes the manifest and the manifest list of a snapshot. It writes a file of rows only if a file does not have the
 * table's types. Nothing refers to the new files until the table's metadata does.
 * @throws LonghaulError LAKE_CORRUPT, TABLE_UNREADABLE, ENGINE_…, STORE_….
 */
export async function writeSnapshot(options: SnapshotOptions): Promise<TableSnapshot> {
  const { converted, id, sequenceNumber, parent, schema } = options;
  const before = parent
    ? await readSnapshotFiles(options, parent.snapshot)
    : { manifests: [], entries: [] };
  const members = await membersOf({
    ...options,
    fields: schema.fields,
    before: { entries: before.entries, fields: parent?.schema.fields ?? [] },
  });
  const paths = new Set(members.map(({ file }) => file.file_path));
  const entries = [
    ...members.map(({ file, carried }): ManifestEntry => {
      if (carried) return { ...carried, status: ENTRY_STATUS.existing, data_file: file };
      return {
        ...{ status: ENTRY_STATUS.added, snapshot_id: id, data_file: file },
        ...{ sequence_number: sequenceNumber, file_sequence_number: sequenceNumber },
      };
    }),
    ...before.entries
      .filter(({ data_file: file }) => !paths.has(file.file_path))
      .map((entry) => ({ ...entry, status: ENTRY_STATUS.deleted, snapshot_id: id })),
  ];
  const { added, deleted } = byStatus(entries);
  const isAppended =
    before.manifests.length < MAX_MANIFESTS &&
    deleted.length === 0 &&
    members.every(({ file, carried }) => !carried || carried.data_file === file);
  const written = isAppended ? added : entries;
  const manifests = [
    ...(isAppended ? before.manifests : []),
    ...(written.length > 0 ? [await writeManifest(options, written)] : []),
  ];
  const list = `${options.prefix}metadata/snap-${id}-${randomUUID()}.avro`;
  const parentId = parent?.snapshot['snapshot-id'];
  await converted.put(list, encodeManifestList(manifests, { id, parentId, sequenceNumber }));
  return {
    'snapshot-id': id,
    ...(parentId === undefined ? {} : { 'parent-snapshot-id': parentId }),
    'sequence-number': sequenceNumber,
    'timestamp-ms': options.timestampMs,
    'manifest-list': converted.uri(list),
    'schema-id': schema['schema-id'],
    summary: { ...countsOf(entries), ...options.summary },
  };
}

async function writeManifest(
  { converted, prefix, id, sequenceNumber, schema, spec }: SnapshotOptions,
  entries: readonly ManifestEntry[],
): Promise<ManifestInList> {
  const key = `${prefix}metadata/${randomUUID()}-m0.avro`;
  const body = encodeManifest(entries, schema, spec);
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
    partitions: spec.fields.length > 0 ? partitionRanges(entries) : [],
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
    .map(({ source = '' }) => Buffer.from(source))
    .toSorted((a, b) => Buffer.compare(a, b));
  const days = partitions
    .map((each) => each.ingest_date ?? 0)
    .toSorted((a, b) => a - b)
    .map(int32);
  return [sources, days].map((values) => ({
    contains_null: false,
    lower_bound: values[0] ?? null,
    upper_bound: values.at(-1) ?? null,
  }));
}

/** Counts by the specification's names. */
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

const MANIFESTS_AT_ONCE = 8;

/** @throws LonghaulError TABLE_UNREADABLE. */
export async function readSnapshotFiles(
  table: TableFolder,
  snapshot: TableSnapshot,
): Promise<SnapshotFiles> {
  const list = tableFileKey(table.prefix, 'metadata', snapshot['manifest-list']);
  const manifests = await read<ManifestInList>(table, list);
  const keys = manifests.map(({ manifest_path: path }) =>
    tableFileKey(table.prefix, 'metadata', path),
  );
  const entries = await pMap(keys, async (key) => await read<ManifestEntry>(table, key), {
    concurrency: MANIFESTS_AT_ONCE,
  });
  const isLive = ({ status }: ManifestEntry): boolean => status !== ENTRY_STATUS.deleted;
  return { keys: [list, ...keys], manifests, entries: entries.flat().filter(isLive) };
}

async function read<T>({ converted }: TableFolder, key: string): Promise<T[]> {
  const body = await converted.get(key);
  if (!body) throw new LonghaulError('TABLE_UNREADABLE', `${converted.uri(key)} is gone.`);
  try {
    return decodeAvro(body) as T[];
  } catch (error) {
    const what = `${converted.uri(key)} cannot be read: it is damaged.`;
    throw new LonghaulError('TABLE_UNREADABLE', what, {}, { cause: error });
  }
}
