import parquet, { type FieldDefinition, type ParquetSchema } from 'parquetjs-lite';
import type { Column, ColumnType } from '../../model/schema.ts';

/** Rows have their values under `rowKey(0)`, `rowKey(1)`, …: a name like `2015` would change its place in an object. */
export function rowKey(index: number): string {
  return `c${index}`;
}

export function writerSchema(columns: readonly Column[]): ParquetSchema {
  const definitions: Record<string, FieldDefinition> = {};
  for (const [index, { type }] of columns.entries()) {
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
