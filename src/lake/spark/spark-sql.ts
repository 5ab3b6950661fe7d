import type { SqlDialect } from '../views.ts';

export const SPARK_SQL: SqlDialect = {
  types: {
    BIGINT: 'BIGINT',
    DOUBLE: 'DOUBLE',
    DATE: 'DATE',
    TIMESTAMP: 'TIMESTAMP_NTZ',
    VARCHAR: 'STRING',
  },
  identifier: (name) => `\`${name.replaceAll('`', '``')}\``,
  literal,
  doubleText,
  momentText: (value, format) => {
    const pattern = format.replaceAll(/%[A-Za-z]|T/g, (letter) => JAVA_LETTERS[letter] ?? letter);
    return `date_format(${value}, ${literal(pattern)})`;
  },
  fractionText: (value) => `regexp_replace(date_format(${value}, '.SSSSSS'), '[.]?0+$', '')`,
};

/** Spark's strings know backslashes. */
function literal(text: string): string {
  return `'${text.replaceAll(/[\\']/g, (char) => `\\${char}`)}'`;
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
