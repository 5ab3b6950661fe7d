import type { Schema as AvroSchema } from 'avsc';
import { decodeAvro, encodeAvro } from './avro-file.ts';
import type { IcebergSchema, PartitionSpec } from './table-schema.ts';

/*
 * The two kinds of Avro files of a snapshot, as format version 2 of the specification has them: a manifest lists data
 * files, a manifest list the manifests of a snapshot. The numbers are the specification's field ids.
 */

/** Of an entry of a manifest. */
export const ENTRY_STATUS = { existing: 0, added: 1, deleted: 2 } as const;

/** A Parquet file, as readers of the table see it. */
export interface DataFile {
  content: 0;
  file_path: string;
  file_format: 'PARQUET';
  /** `ingest_date` in days since 1970-01-01; nothing in a table without partitions. */
  partition: { source?: string; ingest_date?: number };
  record_count: number;
  file_size_in_bytes: number;
  column_sizes: FieldValue<number>[];
  value_counts: FieldValue<number>[];
  null_value_counts: FieldValue<number>[];
  lower_bounds: FieldValue<Buffer>[];
  upper_bounds: FieldValue<Buffer>[];
}

/** Of the field with that id. */
export interface FieldValue<T> {
  key: number;
  value: T;
}

export interface ManifestEntry {
  status: (typeof ENTRY_STATUS)[keyof typeof ENTRY_STATUS];
  /** The snapshot that added the file, or the one that deleted it. */
  snapshot_id: number;
  sequence_number: number;
  file_sequence_number: number;
  data_file: DataFile;
}

/** What a manifest list says of a manifest. */
export interface ManifestInList {
  manifest_path: string;
  manifest_length: number;
  partition_spec_id: 0;
  content: 0;
  sequence_number: number;
  min_sequence_number: number;
  added_snapshot_id: number;
  added_files_count: number;
  existing_files_count: number;
  deleted_files_count: number;
  added_rows_count: number;
  existing_rows_count: number;
  deleted_rows_count: number;
  partitions: PartitionRange[];
}

interface PartitionRange {
  contains_null: boolean;
  lower_bound: Buffer | null;
  upper_bound: Buffer | null;
}

const field = (id: number, name: string, type: unknown): object => ({
  name,
  type,
  'field-id': id,
});

/** With `null` as what readers take where the field is absent. */
const optional = (id: number, name: string, type: unknown): object => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': id,
});

/** Avro's maps have text as keys: a map by field id is a list of pairs. */
function byField(id: number, name: string, ids: [number, number], value: string): object {
  const pair = {
    type: 'record',
    name: `k${ids[0]}_v${ids[1]}`,
    fields: [field(ids[0], 'key', 'int'), field(ids[1], 'value', value)],
  };
  return field(id, name, { type: 'array', logicalType: 'map', items: pair });
}

const PARTITION_TYPES = {
  source: 'string',
  ingest_date: { type: 'int', logicalType: 'date' },
} as const;

const dataFile = ({ fields }: PartitionSpec): object => ({
  type: 'record',
  name: 'r2',
  fields: [
    field(134, 'content', 'int'),
    field(100, 'file_path', 'string'),
    field(101, 'file_format', 'string'),
    field(102, 'partition', {
      type: 'record',
      name: 'r102',
      fields: fields.map((each) =>
        optional(each['field-id'], each.name, PARTITION_TYPES[each.name]),
      ),
    }),
    field(103, 'record_count', 'long'),
    field(104, 'file_size_in_bytes', 'long'),
    byField(108, 'column_sizes', [117, 118], 'long'),
    byField(109, 'value_counts', [119, 120], 'long'),
    byField(110, 'null_value_counts', [121, 122], 'long'),
    byField(125, 'lower_bounds', [126, 127], 'bytes'),
    byField(128, 'upper_bounds', [129, 130], 'bytes'),
  ],
});

const manifestEntry = (spec: PartitionSpec): AvroSchema =>
  ({
    type: 'record',
    name: 'manifest_entry',
    fields: [
      field(0, 'status', 'int'),
      optional(1, 'snapshot_id', 'long'),
      optional(3, 'sequence_number', 'long'),
      optional(4, 'file_sequence_number', 'long'),
      field(2, 'data_file', dataFile(spec)),
    ],
  }) as unknown as AvroSchema;

const PARTITION_RANGE = {
  type: 'record',
  name: 'r508',
  fields: [
    field(509, 'contains_null', 'boolean'),
    optional(510, 'lower_bound', 'bytes'),
    optional(511, 'upper_bound', 'bytes'),
  ],
};

const MANIFEST_FILE = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    field(500, 'manifest_path', 'string'),
    field(501, 'manifest_length', 'long'),
    field(502, 'partition_spec_id', 'int'),
    field(517, 'content', 'int'),
    field(515, 'sequence_number', 'long'),
    field(516, 'min_sequence_number', 'long'),
    field(503, 'added_snapshot_id', 'long'),
    field(504, 'added_files_count', 'int'),
    field(505, 'existing_files_count', 'int'),
    field(506, 'deleted_files_count', 'int'),
    field(512, 'added_rows_count', 'long'),
    field(513, 'existing_rows_count', 'long'),
    field(514, 'deleted_rows_count', 'long'),
    optional(507, 'partitions', { type: 'array', items: PARTITION_RANGE, 'element-id': 508 }),
  ],
} as unknown as AvroSchema;

export function encodeManifest(
  entries: readonly ManifestEntry[],
  schema: IcebergSchema,
  spec: PartitionSpec,
): Buffer {
  return encodeAvro(manifestEntry(spec), entries, {
    schema: JSON.stringify(schema),
    'schema-id': String(schema['schema-id']),
    'partition-spec': JSON.stringify(spec.fields),
    'partition-spec-id': String(spec['spec-id']),
    'format-version': '2',
    content: 'data',
  });
}

/** @throws Error of a file that is damaged. */
export function decodeManifest(file: Buffer): ManifestEntry[] {
  return decodeAvro(file) as ManifestEntry[];
}

export function encodeManifestList(
  manifests: readonly ManifestInList[],
  snapshot: { id: number; parentId: number | undefined; sequenceNumber: number },
): Buffer {
  return encodeAvro(MANIFEST_FILE, manifests, {
    'snapshot-id': String(snapshot.id),
    'parent-snapshot-id': String(snapshot.parentId ?? 'null'),
    'sequence-number': String(snapshot.sequenceNumber),
    'format-version': '2',
  });
}

/** @throws Error of a file that is damaged. */
export function decodeManifestList(file: Buffer): ManifestInList[] {
  return decodeAvro(file) as ManifestInList[];
}
