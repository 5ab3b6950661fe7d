import { randomBytes, randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { formatChecksum } from '../model/texts.ts';
import { LonghaulError } from '../model/errors.ts';
import { viewNameOf } from '../model/names.ts';
import type { Store } from '../storage/store.ts';
import {
  ICEBERG_TYPES,
  NO_PARTITION_ID,
  NO_VALUES,
  type IcebergSchema,
  type PartitionSpec,
} from './table-schema.ts';

/** Folder of the tables in the converted zone. Spark and pyarrow skip folders whose name starts with an underscore. */
export const TABLES_PREFIX = '_iceberg/';

/**
 * The tables of a dataset, by the suffix that each adds to the view's name. `main` has the days as tags, `versions` has
 * each published version of the sources once, and `days` has the versions of each day. The last two are its history.
 */
export const TABLES = { main: '', versions: '_versions', days: '_days' } as const;

export type TableSuffix = (typeof TABLES)[keyof typeof TABLES];

export function tableName(dataset: string, suffix: TableSuffix = TABLES.main): string {
  return viewNameOf(dataset) + suffix;
}

/** The folder of a dataset's table. */
export function tablePrefix(dataset: string, suffix?: TableSuffix): string {
  return prefixOfTable(tableName(dataset, suffix));
}

export function prefixOfTable(name: string): string {
  return `${TABLES_PREFIX}${name}/`;
}

/** A table's folder in its zone. */
export interface TableFolder {
  converted: Store;
  prefix: string;
}

/** The key of a table's own file. A table names absolute paths. It may have been moved, so only the name counts. */
export function tableFileKey(prefix: string, folder: 'metadata' | 'data', path: string): string {
  return `${prefix}${folder}/${basename(path)}`;
}

const FIELD = z.strictObject({
  id: z.int(),
  name: z.string(),
  required: z.boolean(),
  type: z.enum(Object.values(ICEBERG_TYPES)),
  doc: z.literal(NO_VALUES).optional(),
});

const SCHEMA = z.strictObject({
  'schema-id': z.int(),
  type: z.literal('struct'),
  fields: z.array(FIELD),
});

const SNAPSHOT = z.strictObject({
  'snapshot-id': z.int(),
  'parent-snapshot-id': z.int().optional(),
  'sequence-number': z.int(),
  'timestamp-ms': z.int(),
  'manifest-list': z.string(),
  'schema-id': z.int(),
  summary: z.record(z.string(), z.string()),
});

const METADATA = z.strictObject({
  'format-version': z.literal(2),
  'table-uuid': z.string(),
  location: z.string(),
  'last-sequence-number': z.int(),
  'last-updated-ms': z.int(),
  'last-column-id': z.int(),
  'current-schema-id': z.int(),
  schemas: z.array(SCHEMA),
  'default-spec-id': z.literal(0),
  'partition-specs': z.tuple([z.looseObject({})]),
  'last-partition-id': z.int(),
  properties: z.record(z.string(), z.string()),
  'current-snapshot-id': z.int(),
  snapshots: z.array(SNAPSHOT),
  'snapshot-log': z.array(z.strictObject({ 'snapshot-id': z.int(), 'timestamp-ms': z.int() })),
  'metadata-log': z.array(z.strictObject({ 'metadata-file': z.string(), 'timestamp-ms': z.int() })),
  'sort-orders': z.tuple([z.looseObject({})]),
  'default-sort-order-id': z.literal(0),
  refs: z.record(
    z.string(),
    z.strictObject({ 'snapshot-id': z.int(), type: z.enum(['branch', 'tag']) }),
  ),
});

/** A table's metadata in the specification's format version 2, as far as Longhaul writes it. */
export type TableMetadata = z.infer<typeof METADATA>;
export type TableSnapshot = z.infer<typeof SNAPSHOT>;

/** Checksum of the rest of the metadata. Another writer keeps this property, so it no longer fits after a change. */
const CHECKSUM = 'longhaul.checksum';

/** The main branch. Every reader takes it unless it asks for a tag. */
export const MAIN = 'main';
/** `current-snapshot-id` of a table without a head. */
export const NO_SNAPSHOT = -1;

/** A table without a snapshot. */
export function newTable(location: string, spec: PartitionSpec): TableMetadata {
  return {
    'format-version': 2,
    'table-uuid': randomUUID(),
    location,
    'last-sequence-number': 0,
    'last-updated-ms': Date.now(),
    'last-column-id': 0,
    'current-schema-id': 0,
    schemas: [],
    'default-spec-id': 0,
    'partition-specs': [{ ...spec }],
    'last-partition-id': Math.max(
      NO_PARTITION_ID,
      ...spec.fields.map((field) => field['field-id']),
    ),
    // Iceberg's Java library then refuses to expire snapshots, which would remove the days' files.
    properties: { 'gc.enabled': 'false' },
    'current-snapshot-id': NO_SNAPSHOT,
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    'default-sort-order-id': 0,
    refs: {},
  };
}

/** Six bytes: numbers in JSON hold the id exactly, in Node and in every reader. */
export function newSnapshotId(): number {
  return randomBytes(6).readUIntBE(0, 6);
}

/**
 * The number of the newest version. The hint of it, which a writer updates after its commit, is for other readers.
 * @returns undefined if there is no table.
 */
export async function newestVersion(converted: Store, prefix: string): Promise<number | undefined> {
  let newest = 0;
  for await (const { key } of converted.list(`${prefix}metadata/v`)) {
    newest = Math.max(newest, Number(VERSION_NAME.exec(key)?.[1] ?? 0));
  }
  return newest === 0 ? undefined : newest;
}

const VERSION_NAME = /\/v([1-9]\d*)\.metadata\.json$/;

/**
 * @returns undefined if there is no table.
 * @throws LonghaulError TABLE_UNREADABLE, TABLE_FOREIGN_COMMIT.
 */
export async function readNewest(
  converted: Store,
  prefix: string,
): Promise<{ version: number; metadata: TableMetadata } | undefined> {
  const version = await newestVersion(converted, prefix);
  if (version === undefined) return undefined;
  return { version, metadata: await readVersion(converted, prefix, version) };
}

/** @throws LonghaulError TABLE_UNREADABLE, TABLE_FOREIGN_COMMIT. */
export async function readVersion(
  converted: Store,
  prefix: string,
  version: number,
): Promise<TableMetadata> {
  const key = metadataKey(prefix, version);
  const body = await converted.get(key);
  const { data, error } = METADATA.safeParse(jsonOf(body));
  const own = data?.properties[CHECKSUM];
  if (data && own === checksumOf(data)) return data;
  const uri = converted.uri(key);
  // Every writer keeps a table's properties and its id. A file that has neither is not a table's metadata.
  const isForeign = z.looseObject({ 'table-uuid': z.string() }).safeParse(jsonOf(body)).success;
  if (own !== undefined || isForeign) {
    throw new LonghaulError(
      'TABLE_FOREIGN_COMMIT',
      `${uri} was written, or changed, by another program than Longhaul.`,
    );
  }
  const why = error?.issues[0]?.message ?? 'it has no checksum';
  throw new LonghaulError('TABLE_UNREADABLE', `${uri} cannot be read: ${why}.`);
}

function jsonOf(body: Buffer | undefined): unknown {
  try {
    return JSON.parse(body?.toString('utf8') ?? '');
  } catch {
    return undefined;
  }
}

function checksumOf(metadata: TableMetadata): string {
  const { [CHECKSUM]: _own, ...properties } = metadata.properties;
  return formatChecksum(crc32(JSON.stringify({ ...metadata, properties })));
}

/**
 * Makes a version the newest one. The worker commits by creating the file of that number, which must not exist yet.
 * @returns false if another writer was first.
 */
export async function commitTable(
  converted: Store,
  prefix: string,
  version: number,
  metadata: TableMetadata,
): Promise<boolean> {
  // The keys get the order of `METADATA`, in which a reader computes the checksum too.
  const ordered = METADATA.parse(metadata);
  const properties = { ...ordered.properties, [CHECKSUM]: checksumOf(ordered) };
  const body = JSON.stringify({ ...ordered, properties });
  const outcome = await converted.putIfAbsent(metadataKey(prefix, version), body);
  if (outcome === 'exists') return false;
  await converted.put(`${prefix}metadata/version-hint.text`, String(version));
  return true;
}

export function metadataKey(prefix: string, version: number): string {
  return `${prefix}metadata/v${version}.metadata.json`;
}

/** @returns undefined if no day has begun, or if no day is published any more. */
export function headOf({
  'current-snapshot-id': id,
  snapshots,
}: TableMetadata): TableSnapshot | undefined {
  return snapshots.find((each) => each['snapshot-id'] === id);
}

export function schemaOf(
  { schemas }: TableMetadata,
  snapshot: TableSnapshot | undefined,
): IcebergSchema | undefined {
  return schemas.find((each) => each['schema-id'] === snapshot?.['schema-id']);
}
