import parquet from 'parquetjs-lite';
import type { FieldDefinition, ParquetSchema } from 'parquetjs-lite';
import { LonghaulError } from '../../model/errors.ts';
import type { Column, ColumnType, Schema } from '../../model/schema.ts';

/**
 * The schema as this engine writes it: integers beyond 2^53 become text, since the writer holds them as
 * doubles.
 */
export function writableSchema(schema: Schema): Schema {
  return { columns: schema.columns.map(writableColumn) };
}

function writableColumn(column: Column): Column {
  if (column.type !== 'BIGINT' || !column.beyondDouble) return column;
  const { beyondDouble: _, ...rest } = column;
  return { ...rest, type: 'VARCHAR' };
}

/** Rows have their values under `rowKey(0)`, `rowKey(1)`, …: a name like `2015` would change its place in an object. */
export function rowKey(index: number): string {
  return `c${index}`;
}

/**
 * @throws LonghaulError ENGINE_FAILED for a column `__proto__`, which the writer would lose without a word.
 *   (Normalised names have no underscore at either end.)
 */
export function writerSchema(columns: readonly Column[]): ParquetSchema {
  const definitions: Record<string, FieldDefinition> = {};
  for (const [index, { name, type }] of columns.entries()) {
    if (name === '__proto__') {
      throw new LonghaulError('ENGINE_FAILED', 'parquetjs cannot write a column "__proto__".');
    }
    definitions[rowKey(index)] = {
      type: WRITER_TYPES[type],
      optional: true,
      compression: 'GZIP',
      // The writer compares texts by UTF-16 and leaves NaN to chance; a wrong minimum hides rows from readers.
      statistics: false,
    };
  }
  const schema = new parquet.ParquetSchema(definitions);
  for (const [index, field] of schema.fieldList.entries()) {
    field.name = columns[index]?.name ?? field.name;
    field.path = [field.name];
  }
  passTypesExactly(schema);
  return schema;
}

const WRITER_TYPES = {
  VARCHAR: 'UTF8',
  BIGINT: 'INT64',
  DOUBLE: 'DOUBLE',
  DATE: 'DATE',
  TIMESTAMP: 'TIMESTAMP_MICROS',
} as const satisfies Record<ColumnType, FieldDefinition['type']>;

/**
 * The writer's own DATE and TIMESTAMP_MICROS refuse everything before 1970. So rows are shredded by another
 * type than the file says: days as a plain INT32; microseconds as digits, of which its INT64 encoding makes
 * a bigint, with every digit.
 */
function passTypesExactly(schema: ParquetSchema): void {
  for (const [key, field] of Object.entries(schema.fields)) {
    if (field.originalType === 'DATE') {
      schema.fields[key] = { ...field, originalType: undefined };
    } else if (field.originalType === 'TIMESTAMP_MICROS') {
      schema.fields[key] = { ...field, originalType: 'UTF8' };
    }
  }
}
