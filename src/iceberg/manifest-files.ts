import { randomBytes } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import avro from 'avsc';
import type { IcebergSchema, PartitionSpec } from './table-schema.ts';

/*
 * A snapshot has two kinds of Avro files, in format version 2 of the specification. A manifest lists data files; a
 * manifest list lists the manifests of a snapshot. The numbers are the specification's field ids.
 */

/** A field of a record. Its value in memory is a T. */
interface Field<T> {
  id: number;
  type: unknown;
  isOptional: boolean;
  value?: T;
}

type RecordOf<Fields> = {
  [Name in keyof Fields]: Fields[Name] extends Field<infer T> ? T : never;
};

const fieldOf = <T>(id: number, type: unknown): Field<T> => ({ id, type, isOptional: false });
const string = (id: number): Field<string> => fieldOf(id, 'string');
const int = (id: number): Field<number> => fieldOf(id, 'int');
const long = (id: number): Field<number> => fieldOf(id, 'long');
const bytes = (id: number): Field<Buffer> => fieldOf(id, 'bytes');
/** The field with the default `null`, which readers take if the field is absent. */
const optional = <T>(field: Field<T>): Field<T> => ({ ...field, isOptional: true });

/** Avro's maps have only text as keys, so a map by field id is a list of pairs. */
function byField<T>(id: number, keyId: number, value: Field<T>): Field<FieldValue<T>[]> {
  const pair = recordType(`k${keyId}_v${value.id}`, { key: int(keyId), value });
  return fieldOf(id, { type: 'array', logicalType: 'map', items: pair });
}

/** A value, and the id of the field that has it. */
interface FieldValue<T> {
  key: number;
  value: T;
}

function recordType(name: string, fields: Record<string, Field<unknown>>): object {
  const named = Object.entries(fields).map(([each, { id, type, isOptional }]) =>
    isOptional
      ? { name: each, type: ['null', type], default: null, 'field-id': id }
      : { name: each, type, 'field-id': id },
  );
  return { type: 'record', name, fields: named };
}

const PARTITION_TYPES = {
  source: 'string',
  ingest_date: { type: 'int', logicalType: 'date' },
} as const;

/** `ingest_date` is in days since 1970-01-01. A table without partitions has neither field. */
function partition({ fields }: PartitionSpec): Field<{ source?: string; ingest_date?: number }> {
  const named = fields.map(
    (each) => [each.name, optional(fieldOf(each['field-id'], PARTITION_TYPES[each.name]))] as const,
  );
  return fieldOf(102, recordType('r102', Object.fromEntries(named)));
}

const dataFile = (spec: PartitionSpec) => ({
  content: int(134),
  file_path: string(100),
  file_format: string(101),
  partition: partition(spec),
  record_count: long(103),
  file_size_in_bytes: long(104),
  column_sizes: byField(108, 117, long(118)),
  value_counts: byField(109, 119, long(120)),
  null_value_counts: byField(110, 121, long(122)),
  lower_bounds: byField(125, 126, bytes(127)),
  upper_bounds: byField(128, 129, bytes(130)),
});

/** A Parquet file, as readers of the table see it. */
export type DataFile = RecordOf<ReturnType<typeof dataFile>>;

const manifestEntry = (spec: PartitionSpec) => ({
  status: int(0),
  /** The snapshot that added the file, or the one that deleted it. */
  snapshot_id: optional(long(1)),
  sequence_number: optional(long(3)),
  file_sequence_number: optional(long(4)),
  data_file: fieldOf<DataFile>(2, recordType('r2', dataFile(spec))),
});

export type ManifestEntry = RecordOf<ReturnType<typeof manifestEntry>>;

/** Values of `status` in an entry of a manifest. */
export const ENTRY_STATUS = { existing: 0, added: 1, deleted: 2 } as const;

const PARTITION_RANGE = {
  contains_null: fieldOf<boolean>(509, 'boolean'),
  lower_bound: optional(fieldOf<Buffer | null>(510, 'bytes')),
  upper_bound: optional(fieldOf<Buffer | null>(511, 'bytes')),
};

const PARTITION_RANGES = {
  type: 'array',
  items: recordType('r508', PARTITION_RANGE),
  'element-id': 508,
};

const MANIFEST_IN_LIST = {
  manifest_path: string(500),
  manifest_length: long(501),
  partition_spec_id: int(502),
  content: int(517),
  sequence_number: long(515),
  min_sequence_number: long(516),
  added_snapshot_id: long(503),
  added_files_count: int(504),
  existing_files_count: int(505),
  deleted_files_count: int(506),
  added_rows_count: long(512),
  existing_rows_count: long(513),
  deleted_rows_count: long(514),
  partitions: optional(fieldOf<RecordOf<typeof PARTITION_RANGE>[]>(507, PARTITION_RANGES)),
};

/** What a manifest list says about a manifest. */
export type ManifestInList = RecordOf<typeof MANIFEST_IN_LIST>;

export function encodeManifest(
  entries: readonly ManifestEntry[],
  schema: IcebergSchema,
  spec: PartitionSpec,
): Buffer {
  return encodeAvro(recordType('manifest_entry', manifestEntry(spec)), entries, {
    schema: JSON.stringify(schema),
    'schema-id': String(schema['schema-id']),
    'partition-spec': JSON.stringify(spec.fields),
    'partition-spec-id': String(spec['spec-id']),
    'format-version': '2',
    content: 'data',
  });
}

export function encodeManifestList(
  manifests: readonly ManifestInList[],
  snapshot: { id: number; parentId: number | undefined; sequenceNumber: number },
): Buffer {
  return encodeAvro(recordType('manifest_file', MANIFEST_IN_LIST), manifests, {
    'snapshot-id': String(snapshot.id),
    'parent-snapshot-id': String(snapshot.parentId ?? 'null'),
    'sequence-number': String(snapshot.sequenceNumber),
    'format-version': '2',
  });
}

/** Parts of Avro's object container file, by its specification 1.11: the magic, a header, blocks of records. */
const MAGIC = Buffer.from('Obj\u0001');
const SYNC_BYTES = 16;

const HEADER = avro.Type.forSchema({ type: 'map', values: 'bytes' });
const LONG = avro.Type.forSchema('long');

/**
 * Encodes a file of one block. `avsc` does not write the header, because it leaves out the attributes of the schema
 * that Iceberg needs (`field-id`).
 * @param metadata what else Iceberg needs in the header.
 */
function encodeAvro(
  schema: object,
  records: readonly unknown[],
  metadata: Record<string, string>,
): Buffer {
  const text = JSON.stringify(schema);
  const type = typeOf(text);
  const header = { ...metadata, 'avro.schema': text, 'avro.codec': 'deflate' };
  const values = Object.entries(header).map(([name, text]) => [name, Buffer.from(text)] as const);
  const block = deflateRawSync(Buffer.concat(records.map((record) => type.toBuffer(record))));
  const sync = randomBytes(SYNC_BYTES);
  return Buffer.concat([
    MAGIC,
    HEADER.toBuffer(Object.fromEntries(values)),
    sync,
    ...(records.length > 0
      ? [LONG.toBuffer(records.length), LONG.toBuffer(block.length), block, sync]
      : []),
  ]);
}

/**
 * The records of a manifest or a manifest list, decoded by the schema in its header.
 * @throws Error if the file is not such a file, is cut short, or is damaged.
 */
export function decodeAvro(file: Buffer): unknown[] {
  if (!file.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('no Avro file');
  const header = HEADER.decode(file, MAGIC.length);
  if (header.offset < 0) throw new Error('a header that is cut short');
  const { 'avro.schema': schema = '' } = header.value as Record<string, Buffer>;
  const type = typeOf(schema.toString());
  const sync = file.subarray(header.offset, header.offset + SYNC_BYTES);
  const records: unknown[] = [];
  for (let at = header.offset + SYNC_BYTES; at < file.length;) {
    const count = LONG.decode(file, at);
    const size = LONG.decode(file, count.offset);
    const end = size.offset + Number(size.value);
    if (!file.subarray(end, end + SYNC_BYTES).equals(sync)) throw new Error('a damaged block');
    const block = inflateRawSync(file.subarray(size.offset, end));
    for (let n = 0, offset = 0; n < Number(count.value); n += 1) {
      const record = type.decode(block, offset);
      records.push(record.value);
      offset = record.offset;
    }
    at = end + SYNC_BYTES;
  }
  return records;
}

/** Types of the few schemas that our files have. Making a type takes longer than reading a manifest of a day. */
const TYPES = new Map<string, avro.Type>();

function typeOf(schema: string): avro.Type {
  const type = TYPES.get(schema) ?? avro.Type.forSchema(JSON.parse(schema) as avro.Schema);
  TYPES.set(schema, type);
  return type;
}
