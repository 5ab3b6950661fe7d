import type { Column } from '../../model/schema.ts';

/** Text → what the writer gets; the text has been found to fit the column's type. */
export type ValueReader = (text: string) => string | number;

/** @throws Error for a date column without a format: it has no value, so nothing is ever read from it. */
export function valueReaderOf(column: Column): ValueReader {
  switch (column.type) {
    case 'VARCHAR':
      return (text) => text;
    // At most 2^53 here: exact as numbers.
    case 'BIGINT':
    case 'DOUBLE':
      return Number;
    case 'DATE':
      return (text) => daysOf(fieldsOf(text, column.format));
    case 'TIMESTAMP':
      return (text) => microsecondsOf(fieldsOf(text, column.format)).toString();
  }
}

interface MomentFields {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  microsecond: number;
}

const DAY_MS = 86_400_000;

function daysOf(fields: MomentFields): number {
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  const date = new Date(0);
  date.setUTCFullYear(fields.year, fields.month - 1, fields.day);
  // A day that its month lacks would become one of the next month.
  if (date.getUTCMonth() !== fields.month - 1 || date.getUTCDate() !== fields.day) {
    throw new Error(`${fields.year}-${fields.month}-${fields.day} is no day.`);
  }
  return date.getTime() / DAY_MS;
}

function microsecondsOf(fields: MomentFields): bigint {
  const { hour, minute, second, microsecond } = fields;
  if (hour > 23 || minute > 59 || second > 59) {
    throw new Error(`${hour}:${minute}:${second} is no time of a day.`);
  }
  const seconds = daysOf(fields) * 86_400 + hour * 3600 + minute * 60 + second;
  return BigInt(seconds) * 1_000_000n + BigInt(microsecond);
}

/** By the format's letters, in their order: separators are known to be right. */
function fieldsOf(text: string, format: string | undefined): MomentFields {
  if (format === undefined) {
    throw new Error(`A date column without a format has the value ${text}.`);
  }
  const numbers = text.match(/\d+/g) ?? [];
  const letters = format.match(/%[YmdHIMSf]/g) ?? [];
  const optional = format.endsWith('%f') ? 1 : 0;
  if (numbers.length > letters.length || numbers.length < letters.length - optional) {
    throw new Error(`${text} does not fit the format ${format}.`);
  }
  const found: Record<string, string | undefined> = {};
  for (const [index, letter] of letters.entries()) found[letter] = numbers[index];
  const of = (letter: string): number => Number(found[letter] ?? 0);
  const half = (of('%I') % 12) + (text.endsWith('PM') ? 12 : 0);
  return {
    year: of('%Y'),
    month: of('%m'),
    day: of('%d'),
    hour: format.includes('%I') ? half : of('%H'),
    minute: of('%M'),
    second: of('%S'),
    microsecond: Number((found['%f'] ?? '').padEnd(6, '0')),
  };
}
