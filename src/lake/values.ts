import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBUnionValue,
  type DuckDBValue,
} from '@duckdb/node-api';

export type Json = null | boolean | number | string | Json[] | Map<string, Json>;

/**
 * A value in JSON, without losing a digit. Integers beyond 2^53, decimals that a double does not hold, and numbers that
 * JSON lacks become text. Dates and times are ISO 8601. Objects are Maps, so that a column named `__proto__` is a
 * column.
 */
export function jsonOf(value: DuckDBValue): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return exact(value.toString(), Number(value));
  if (value instanceof DuckDBDecimalValue) return exact(value.toString(), value.toDouble());
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) {
    return value.toString().replace(' ', 'T');
  }
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    return value.items.map((item) => jsonOf(item));
  }
  if (value instanceof DuckDBStructValue) return objectOf(Object.entries(value.entries));
  if (value instanceof DuckDBMapValue) {
    return objectOf(value.entries.map(({ key, value: held }) => [textOf(key), held]));
  }
  if (value instanceof DuckDBUnionValue) return jsonOf(value.value);
  return textOf(value);
}

/** A value as the text of one cell, as DuckDB's own shell has it. Only whole doubles differ: they lose their `.0`. */
export function textOf(value: DuckDBValue): string {
  if (value === null) return '';
  if (value instanceof DuckDBDateValue || value instanceof DuckDBBlobValue) return value.toString();
  return typeof value === 'object' ? value.toString() : String(value);
}

/** JSON text. Control and bidirectional characters are escaped, because it may be printed on a terminal. */
export function jsonText(value: Json): string {
  return serialised(value).replaceAll(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function serialised(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((each) => serialised(each)).join(',')}]`;
  if (!(value instanceof Map)) return JSON.stringify(value);
  const members = [...value].map(([key, held]) => `${JSON.stringify(key)}:${serialised(held)}`);
  return `{${members.join(',')}}`;
}

function exact(text: string, number: number): Json {
  const same = Number.isInteger(number)
    ? Number.isSafeInteger(number) && text.replace(/\.0*$/, '') === String(number)
    : text.replace(/0+$/, '') === String(number);
  return same ? number : text;
}

function objectOf(entries: readonly (readonly [string, DuckDBValue])[]): Map<string, Json> {
  return new Map(entries.map(([key, held]) => [key, jsonOf(held)]));
}
