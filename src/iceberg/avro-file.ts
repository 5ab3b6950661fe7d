import { randomBytes } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import avro from 'avsc';

/** Avro's object container file, as its specification 1.11 lays it out: the magic, a header, blocks of records. */
const MAGIC = Buffer.from('Obj\u0001');
const SYNC_BYTES = 16;

const HEADER = avro.Type.forSchema({ type: 'map', values: 'bytes' });
const LONG = avro.Type.forSchema('long');

/**
 * A file of one block. The header is written here and not by `avsc`, which leaves out the attributes of the schema that
 * Iceberg needs (`field-id`).
 * @param schema as Iceberg's specification has it.
 * @param metadata what Iceberg wants in the header besides.
 */
export function encodeAvro(
  schema: avro.Schema,
  records: readonly unknown[],
  metadata: Record<string, string>,
): Buffer {
  const text = JSON.stringify(schema);
  const type = typeOf(text);
  const header = {
    ...metadata,
    'avro.schema': text,
    'avro.codec': 'deflate',
  };
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
 * The records of a file that `encodeAvro` wrote, by the schema in its header.
 * @throws Error where it is none: cut short, or damaged.
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

/** Of the few schemas that our files have: making a type takes longer than reading a manifest of a day. */
const TYPES = new Map<string, avro.Type>();

function typeOf(schema: string): avro.Type {
  const type = TYPES.get(schema) ?? avro.Type.forSchema(JSON.parse(schema) as avro.Schema);
  TYPES.set(schema, type);
  return type;
}
