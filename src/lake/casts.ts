import { quoteLiteral } from '../model/names.ts';
import type { Column, ColumnType } from '../model/schema.ts';

/**
 * A column's value in the type where its sources meet, exactly. As text it is what the publisher wrote, but for
 * padding of dates and trailing zeros of decimals.
 * @param value SQL of the column itself, quoted.
 */
export function castSql(
  value: string,
  { type, format }: Pick<Column, 'type' | 'format'>,
  to: ColumnType,
): string {
  if (to !== 'VARCHAR' || type === 'VARCHAR' || type === 'BIGINT') return `CAST(${value} AS ${to})`;
  if (type === 'DOUBLE') return doubleTextSql(value);
  return format === undefined ? `CAST(${value} AS VARCHAR)` : dateTextSql(value, format);
}

/**
 * DuckDB writes 3 as `3.0`, 0.00001 as `1e-05` and 1e16 as `1e+16`; the publisher wrote neither the `.0` nor
 * an exponent. A DECIMAL writes the digits out: 38 of them, which is 20 behind the point, or none.
 */
function doubleTextSql(value: string): string {
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

/** `%f` is a fraction that may be absent, without its trailing zeros; strftime would always write six digits. */
function dateTextSql(value: string, format: string): string {
  const [before = '', after] = format.split('%f', 2);
  const plain = (part: string): string => `strftime(${value}, ${quoteLiteral(part)})`;
  if (after === undefined) return plain(before);
  const fraction = `rtrim(rtrim('.' || strftime(${value}, '%f'), '0'), '.')`;
  const rest = after === '' ? '' : ` || ${plain(after)}`;
  return `${plain(before)} || ${fraction}${rest}`;
}
