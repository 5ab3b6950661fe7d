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

/**
 * A row as the text of a JSON object, without losing a digit. Integers beyond 2^53, decimals that a double does not
 * hold, and numbers that JSON lacks become text. Dates and times are ISO 8601. Control and bidirectional characters are
 * escaped, because the text may be printed on a terminal.
 */
export function rowJson(names: readonly string[], row: readonly DuckDBValue[]): string {
  return objectJson(row.map((value, index) => [names[index] ?? '', value])).replaceAll(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** It makes text of the members, not an object, so that a column named `__proto__` is a column. */
function objectJson(entries: readonly (readonly [string, DuckDBValue])[]): string {
  const members = entries.map(([key, value]) => `${JSON.stringify(key)}:${jsonOf(value)}`);
  return `{${members.join(',')}}`;
}

function jsonOf(value: DuckDBValue): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value === 'bigint') return exact(value.toString(), Number(value));
  if (value instanceof DuckDBDecimalValue) return exact(value.toString(), value.toDouble());
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) {
    return JSON.stringify(value.toString().replace(' ', 'T'));
  }
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    return `[${value.items.map((item) => jsonOf(item)).join(',')}]`;
  }
  if (value instanceof DuckDBStructValue) return objectJson(Object.entries(value.entries));
  if (value instanceof DuckDBMapValue) {
    return objectJson(value.entries.map(({ key, value: held }) => [textOf(key), held]));
  }
  if (value instanceof DuckDBUnionValue) return jsonOf(value.value);
  return JSON.stringify(textOf(value));
}

function exact(text: string, number: number): string {
  const same = Number.isInteger(number)
    ? Number.isSafeInteger(number) && text.replace(/\.0*$/, '') === String(number)
    : text.replace(/0+$/, '') === String(number);
  return JSON.stringify(same ? number : text);
}

/** A value as the text of one cell, as DuckDB's own shell has it. Only whole doubles differ: they lose their `.0`. */
export function textOf(value: DuckDBValue): string {
  if (value === null) return '';
  if (value instanceof DuckDBDateValue || value instanceof DuckDBBlobValue) return value.toString();
  return typeof value === 'object' ? value.toString() : String(value);
}
