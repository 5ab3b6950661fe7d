import type { Column, ColumnType } from '../../model/schema.ts';

/** Spark's names of our types. */
export const SPARK_TYPES: Record<ColumnType, string> = {
  BIGINT: 'BIGINT',
  DOUBLE: 'DOUBLE',
  DATE: 'DATE',
  TIMESTAMP: 'TIMESTAMP_NTZ',
  VARCHAR: 'STRING',
};

/** An identifier for Spark SQL. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A string literal for Spark SQL, which knows backslashes. */
export function quoteText(text: string): string {
  return `'${text.replaceAll(/[\\']/g, (char) => `\\${char}`)}'`;
}

/**
 * A column's value in the type where its sources meet, as `castSql` has it for DuckDB: as text it is what the publisher
 * wrote, but for padding of dates and trailing zeros of decimals.
 * @param value SQL of the column itself, quoted.
 */
export function sparkCast(
  value: string,
  { type, format }: Pick<Column, 'type' | 'format'>,
  to: ColumnType,
): string {
  if (to !== 'VARCHAR' || type === 'VARCHAR' || type === 'BIGINT') {
    return `CAST(${value} AS ${SPARK_TYPES[to]})`;
  }
  if (type === 'DOUBLE') return doubleText(value);
  return format === undefined ? `CAST(${value} AS STRING)` : momentText(value, format);
}

/** The fewest digits that mean the double (Java 17 at times writes one too many), without an exponent. */
function doubleText(value: string): string {
  const digits = (count: number): string => `format_string('%.${count - 1}e', ${value})`;
  const fits = (count: number): string => `WHEN CAST(${digits(count)} AS DOUBLE) = ${value}`;
  const few = `CASE ${fits(15)} THEN ${digits(15)} ${fits(16)} THEN ${digits(16)} ELSE ${digits(17)} END`;
  const decimal = (places: number): string =>
    `CAST(CAST(${few} AS DECIMAL(38, ${places})) AS STRING)`;
  return [
    'CASE',
    `WHEN ${value} = 0 THEN '0'`,
    `WHEN abs(${value}) >= 1e-20 AND abs(${value}) < 1e17 THEN regexp_replace(${decimal(20)}, '[.]?0+$', '')`,
    `WHEN abs(${value}) >= 1e17 AND abs(${value}) < 1e37 THEN ${decimal(0)}`,
    `ELSE CAST(${value} AS STRING)`,
    'END',
  ].join(' ');
}

const JAVA_LETTERS: Readonly<Record<string, string>> = {
  '%Y': 'yyyy',
  '%m': 'MM',
  '%d': 'dd',
  '%H': 'HH',
  '%I': 'hh',
  '%M': 'mm',
  '%S': 'ss',
  '%p': 'a',
  T: "'T'",
};

/** `%f` is a fraction that may be absent, without its trailing zeros. */
function momentText(value: string, format: string): string {
  const [before = '', after] = format.split('%f', 2);
  const plain = (part: string): string => {
    const pattern = part.replaceAll(/%[A-Za-z]|T/g, (letter) => JAVA_LETTERS[letter] ?? letter);
    return `date_format(${value}, ${quoteText(pattern)})`;
  };
  if (after === undefined) return plain(before);
  const fraction = `regexp_replace(date_format(${value}, '.SSSSSS'), '[.]?0+$', '')`;
  const rest = after === '' ? '' : `, ${plain(after)}`;
  return `concat(${plain(before)}, ${fraction}${rest})`;
}
