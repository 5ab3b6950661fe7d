import { canonicalRecord } from './canonical-csv.ts';
import { exactText, JsonNumber, type ExactJson } from './exact-json.ts';

/** A record as a portal sends it: a field that it leaves out is null. */
export type JsonRecord = Readonly<Record<string, ExactJson>>;

export function isRecord(value: unknown): value is JsonRecord {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && !(value instanceof JsonNumber);
}

/** Column → values that Parquet, or the CSV too, has as null. It lies in cursors, so that it outlives an attempt. */
export interface Tally {
  emptyTexts: Readonly<Record<string, number>>;
  notNumbers: Readonly<Record<string, number>>;
}

export const NO_TALLY: Tally = { emptyTexts: {}, notNumbers: {} };

/** Records as canonical CSV, and what was counted with them. */
export function rendered(
  records: readonly JsonRecord[],
  columns: readonly string[],
  before: Tally,
): { text: string; tally: Tally } {
  const emptyTexts: Record<string, number> = {};
  const notNumbers: Record<string, number> = {};
  const lines = records.map((record) =>
    canonicalRecord(
      columns.map((column) => {
        const value = valueOf(record, column);
        if (value === '') increment(emptyTexts, column);
        if (value instanceof JsonNumber && isNotNumber(value)) increment(notNumbers, column);
        return fieldText(value);
      }),
    ),
  );
  const text = lines.join('');
  const tally = {
    emptyTexts: sum(before.emptyTexts, emptyTexts),
    notNumbers: sum(before.notNumbers, notNumbers),
  };
  return { text, tally };
}

/** The values of some records, for people. */
export function examplesOf(
  records: readonly JsonRecord[],
  columns: readonly string[],
): (string | null)[][] {
  return records.map((record) => columns.map((column) => fieldText(valueOf(record, column))));
}

/** The counters of a manifest: those without a count are left out. */
export function countersOf({ emptyTexts, notNumbers }: Tally): {
  emptyTexts?: Record<string, number>;
  notNumbers?: Record<string, number>;
} {
  const isAny = (counts: object): boolean => Object.keys(counts).length > 0;
  return {
    ...(isAny(emptyTexts) && { emptyTexts: { ...emptyTexts } }),
    ...(isAny(notNumbers) && { notNumbers: { ...notNumbers } }),
  };
}

function valueOf(record: JsonRecord, column: string): ExactJson {
  return Object.hasOwn(record, column) ? (record[column] ?? null) : null;
}

/** Texts and the digits of numbers as they are; objects and lists as JSON. */
function fieldText(value: ExactJson): string | null {
  if (value === null || typeof value === 'string') return value;
  if (value instanceof JsonNumber && isNotNumber(value)) return null;
  return exactText(value);
}

function isNotNumber({ digits }: JsonNumber): boolean {
  return /[NI]/.test(digits);
}

/** The same object where nothing is added: cursors of many pages share it. */
function sum(
  before: Readonly<Record<string, number>>,
  added: Record<string, number>,
): Readonly<Record<string, number>> {
  const columns = Object.keys(added);
  if (columns.length === 0) return before;
  const total: Record<string, number> = { ...before };
  for (const column of columns) increment(total, column, added[column]);
  return total;
}

/** A column may be named as what every object has: `constructor`. */
export function increment(counts: Record<string, number>, column: string, by = 1): void {
  counts[column] = (Object.hasOwn(counts, column) ? (counts[column] ?? 0) : 0) + by;
}
