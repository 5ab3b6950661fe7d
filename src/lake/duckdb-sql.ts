import { quoteIdentifier, quoteLiteral } from '../model/names.ts';
import type { SqlDialect } from './views.ts';

export const DUCKDB_SQL: SqlDialect = {
  types: {
    BIGINT: 'BIGINT',
    DOUBLE: 'DOUBLE',
    DATE: 'DATE',
    TIMESTAMP: 'TIMESTAMP',
    VARCHAR: 'VARCHAR',
  },
  identifier: quoteIdentifier,
  literal: quoteLiteral,
  doubleText,
  momentText: (value, format) => `strftime(${value}, ${quoteLiteral(format)})`,
  // strftime always writes six digits.
  fractionText: (value) => `rtrim(rtrim('.' || strftime(${value}, '%f'), '0'), '.')`,
};

/**
 * DuckDB writes 3 as `3.0`, 0.00001 as `1e-05` and 1e16 as `1e+16`; the publisher wrote neither the `.0` nor
 * an exponent. A DECIMAL writes the digits out: 38 of them, which is 20 behind the point, or none.
 */
function doubleText(value: string): string {
  const text = `CAST(${value} AS VARCHAR)`;
  const decimal = (places: number): string =>
    `CAST(CAST(${text} AS DECIMAL(38, ${places})) AS VARCHAR)`;
  const small = `rtrim(rtrim(${decimal(20)}, '0'), '.')`;
  return [
    'CASE',
    `WHEN contains(${text}, 'e-') AND abs(${value}) >= 1e-20 THEN ${small}`,
    `WHEN contains(${text}, 'e+') AND abs(${value}) < 1e37 THEN ${decimal(0)}`,
    `ELSE regexp_replace(${text}, '\\.0$', '')`,
    'END',
  ].join(' ');
}
