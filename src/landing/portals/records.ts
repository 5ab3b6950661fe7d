import { createHash } from 'node:crypto';
import type { SourceOverrides } from '../../model/dataset.ts';
import type { PortalKind } from '../../model/manifest.ts';
import { exactText, JsonNumber, type ExactJson } from './json.ts';

/**
 * How a portal's records become CSV: RFC 4180 in UTF-8 without a byte order mark, LF, commas. The same records give the
 * same bytes in pages of any size.
 */
export const CANONICAL: SourceOverrides = { encoding: 'utf-8', delimiter: ',', header: true };

/** Must rise when the rules below change, because the same records then give another version of the file. */
export const RENDERING_VERSION = 1;

/** Hashes what differs between two versions of a table, in the form of an ETag. */
export function versionTag(kind: PortalKind, parts: unknown): string {
  return `"${kind}-${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}"`;
}

/** A record as a portal sends it. A missing field counts as null. */
export type JsonRecord = Readonly<Record<string, ExactJson>>;

export function isRecord(value: unknown): value is JsonRecord {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && !(value instanceof JsonNumber);
}

/** A record's values, in the order of the columns. */
export type Row = readonly ExactJson[];

export function rowsOf(records: readonly JsonRecord[], columns: readonly string[]): Row[] {
  return records.map((record) =>
    columns.map((column) => (Object.hasOwn(record, column) ? (record[column] ?? null) : null)),
  );
}

/** The values of some records, to show to the user. */
export function examplesOf(rows: readonly Row[]): (string | null)[][] {
  return rows.map((row) => row.map(fieldText));
}

/**
 * The number of values, for each column, that are null in Parquet, or in the CSV too. Cursors keep it for later
 * attempts.
 */
export type Tally = Readonly<{
  emptyTexts: Readonly<Record<string, number>>;
  notNumbers: Readonly<Record<string, number>>;
}>;

/** Returns rows as canonical CSV, and the tally with their values added. */
export function rendered(
  rows: readonly Row[],
  columns: readonly string[],
  before: Tally,
): { text: string; tally: Tally } {
  const emptyTexts = { ...before.emptyTexts };
  const notNumbers = { ...before.notNumbers };
  const textOf = (value: ExactJson, index: number): string | null => {
    const text = fieldText(value);
    if (text === '') increment(emptyTexts, columns[index] ?? '');
    else if (text === null && value !== null) increment(notNumbers, columns[index] ?? '');
    return text;
  };
  const text = rows.map((row) => canonicalRecord(row.map(textOf))).join('');
  return { text, tally: { emptyTexts, notNumbers } };
}

/**
 * Null is an empty field, and the empty text is `""`. Parquet has NULL for both; only the raw file keeps the
 * difference. If there is a single column, null is `""` too, because a blank line is not a record.
 */
export function canonicalRecord(fields: readonly (string | null)[]): string {
  if (fields.length === 1 && fields[0] === null) return '""\n';
  return `${fields.map(canonicalField).join(',')}\n`;
}

const NEEDS_QUOTES = /[",\r\n]|^\s|\s$/;

function canonicalField(value: string | null): string {
  if (value === null) return '';
  return value === '' || NEEDS_QUOTES.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

/** Returns texts and digits unchanged, and objects and lists as JSON. */
function fieldText(value: ExactJson): string | null {
  if (value === null || typeof value === 'string') return value;
  return isNotNumber(value) ? null : exactText(value);
}

/** Whether the value is NaN, Infinity or -Infinity. */
export function isNotNumber(value: unknown): boolean {
  return value instanceof JsonNumber && /[NI]/.test(value.digits);
}

/** A column may have the name of a property that any object has: `constructor`. */
function increment(counts: Record<string, number>, column: string): void {
  counts[column] = (Object.hasOwn(counts, column) ? (counts[column] ?? 0) : 0) + 1;
}
