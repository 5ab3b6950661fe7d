import parquet, { type FieldDefinition, type ParquetSchema } from 'parquetjs-lite';
import type { Column, ColumnType } from '../../model/schema.ts';

/** Key of a value in a row. With names, JavaScript would move one such as `2015` to the front of the object. */
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
      // The writer compares texts by UTF-16 and handles NaN by chance. A wrong minimum would hide rows from readers.
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
 * The writer's DATE and TIMESTAMP_MICROS refuse times before 1970. So rows are shredded by a type other than the
 * file's: days as plain INT32, and microseconds as digits. The INT64 encoding turns the digits into a bigint without
 * loss.
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
