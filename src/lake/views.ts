import type { SourceEntry } from '../model/manifest.ts';
import { quoteIdentifier, quoteLiteral } from '../model/names.ts';
import { meetColumns, type Column, type ColumnType } from '../model/schema.ts';

/** SQL of the engine that runs a view. A `value` is SQL of a column, quoted. */
export interface SqlDialect {
  types: Readonly<Record<ColumnType, string>>;
  identifier: (name: string) => string;
  literal: (text: string) => string;
  /** A double as the publisher wrote it, except for trailing zeros: no exponent, no `.0`. */
  doubleText: (value: string) => string;
  /** @param format of strftime, without `%f`. */
  momentText: (value: string, format: string) => string;
  /** `.5`, for example: no trailing zeros, and empty if the fraction is zero. */
  fractionText: (value: string) => string;
}

/** A source's entry, and the ingest date of its rows in a view. */
export interface DatedEntry {
  entry: SourceEntry;
  ingestDate: string;
}

/**
 * The SELECT of a view: all sources, one below the other. If sources have a column in different types, it has the type
 * that holds both exactly, or else text, because an engine's own cast would damage long integers. Every branch names
 * every column in the same order.
 * @param tableOf SQL of the table that has these Parquet files; takes keys of the converted zone.
 */
export function viewSql(
  entries: readonly DatedEntry[],
  dialect: SqlDialect,
  tableOf: (keys: string[]) => string,
): string {
  const branches = branchesOf(entries);
  const met = meetColumns(branches.map(({ entry }) => entry.schema.columns));
  const columns = [...met].map(([name, { type }]) => ({ name, type }));
  const selects = branches
    .filter(({ entry }) => entry.parquet.length > 0)
    .map(({ entry, ingestDates }) => {
      const held = new Map(entry.schema.columns.map((column) => [column.name, column]));
      const dates = ingestDates.map((date) => `(DATE ${dialect.literal(date)})`).join(', ');
      return [
        `SELECT ${valuesSql(columns, held, dialect)}, ${dialect.literal(entry.id)} AS source, days.ingest_date`,
        `FROM ${tableOf(entry.parquet.map(({ key }) => key))} AS part`,
        `CROSS JOIN (VALUES ${dates}) AS days(ingest_date)`,
      ].join(' ');
    });
  return selects.join('\nUNION ALL\n') || emptySql(columns, dialect);
}

/** One set of files, and the ingest dates on which the source had these files. */
interface Branch {
  entry: SourceEntry;
  ingestDates: string[];
}

/** A source that stays unchanged for a year is one branch with many dates, not hundreds of branches. */
function branchesOf(entries: readonly DatedEntry[]): Branch[] {
  const branches = new Map<string, Branch>();
  for (const { entry, ingestDate } of entries) {
    const key = JSON.stringify([entry.id, entry.schema, entry.parquet.map((part) => part.key)]);
    const branch = branches.get(key) ?? { entry, ingestDates: [] };
    branch.ingestDates.push(ingestDate);
    branches.set(key, branch);
  }
  return [...branches.values()];
}

type MetColumn = Pick<Column, 'name' | 'type'>;

function valuesSql(
  columns: readonly MetColumn[],
  held: ReadonlyMap<string, Column>,
  dialect: SqlDialect,
): string {
  const values = columns.map(({ name, type }) => {
    const column = held.get(name);
    const quoted = dialect.identifier(name);
    const value =
      !column || column.empty
        ? `CAST(NULL AS ${dialect.types[type]})`
        : castSql(`part.${quoted}`, column, type, dialect);
    return `${value} AS ${quoted}`;
  });
  return values.join(', ');
}

/** SQL of a dataset without rows, which may also have no columns. */
function emptySql(columns: readonly MetColumn[], dialect: SqlDialect): string {
  const { VARCHAR, DATE } = dialect.types;
  const own = `CAST(NULL AS ${VARCHAR}) AS source, CAST(NULL AS ${DATE}) AS ingest_date`;
  const values = columns.length > 0 ? `${valuesSql(columns, new Map(), dialect)}, ` : '';
  return `SELECT ${values}${own} WHERE false`;
}

/**
 * A column's value in the type where its sources meet, exactly. As text it is what the publisher wrote, except for
 * padding of dates and trailing zeros of decimals.
 */
export function castSql(
  value: string,
  { type, format }: Pick<Column, 'type' | 'format'>,
  to: ColumnType,
  dialect: SqlDialect,
): string {
  const isPlain = to !== 'VARCHAR' || type === 'VARCHAR' || type === 'BIGINT';
  if (!isPlain && type === 'DOUBLE') return dialect.doubleText(value);
  if (isPlain || format === undefined) return `CAST(${value} AS ${dialect.types[to]})`;
  // `%f` is a fraction that may be absent.
  const [before = '', after] = format.split('%f', 2);
  const pieces = [dialect.momentText(value, before)];
  if (after !== undefined) pieces.push(dialect.fractionText(value));
  if (after) pieces.push(dialect.momentText(value, after));
  return pieces.join(' || ');
}

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
 * DuckDB writes 3 as `3.0`, 0.00001 as `1e-05` and 1e16 as `1e+16`. The publisher wrote neither the `.0` nor an
 * exponent. A DECIMAL writes out 38 digits, of which 20 or none are behind the point.
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
