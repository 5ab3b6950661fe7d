/**
 * Column types and how they combine. A type is found from the whole file. Every non-empty value, written from the type
 * in a fixed form, must equal the publisher's text: see `docs/fidelity.md`.
 */
export const COLUMN_TYPES = ['BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'VARCHAR'] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];

/** Numbers with so many digits always fit a 64-bit integer. Longer ones stay text. */
export const MAX_BIGINT_DIGITS = 18;

/**
 * The fixed list of formats in DuckDB's strptime letters, tried in this order. Padding does not matter: `1/2/2019` and
 * `01/02/2019` have the same format. If month first and day first both fit every value, month first wins, as the
 * publishers of the first datasets write it.
 */
export const DATE_FORMATS = ['%Y-%m-%d', '%Y/%m/%d', '%m/%d/%Y', '%d/%m/%Y', '%d.%m.%Y'] as const;

/** `%f` stands for an optional fraction of 1 to 6 digits. Trailing zeros do not matter. */
export const TIMESTAMP_FORMATS = [
  '%Y-%m-%d %H:%M:%S%f',
  '%Y-%m-%dT%H:%M:%S%f',
  '%Y/%m/%d %H:%M:%S%f',
  '%Y-%m-%d %H:%M',
  '%m/%d/%Y %I:%M:%S %p',
  '%m/%d/%Y %I:%M %p',
  '%m/%d/%Y %H:%M:%S%f',
  '%m/%d/%Y %H:%M',
  '%d/%m/%Y %H:%M:%S%f',
  '%d/%m/%Y %H:%M',
] as const;

export interface Column {
  /** Normalised and unique name. */
  name: string;
  publisherName: string;
  type: ColumnType;
  /** DATE and TIMESTAMP only: a format of the lists above. */
  format?: string;
  /** True if no record has a value. The column then fits any type, so a view uses the type of other sources. */
  empty?: true;
  /** BIGINT only: true if an absolute value is over 2^53, which DOUBLE cannot hold exactly. */
  beyondDouble?: true;
  /** True if datasets.yaml declares the type. */
  declared?: true;
}

export interface Schema {
  columns: Column[];
}

type MeetingColumn = Pick<Column, 'type' | 'empty' | 'beyondDouble'>;

/**
 * The type that holds the values of both columns exactly, else text. It does not use an engine's own cast, because a
 * union of BIGINT and DOUBLE made 9007199254740992.0 of …993.
 */
export function meet(a: MeetingColumn, b: MeetingColumn): MeetingColumn {
  if (a.empty) return b;
  if (b.empty) return a;
  const beyondDouble = a.beyondDouble === true || b.beyondDouble === true;
  const wide = beyondDouble ? ({ beyondDouble: true } as const) : {};
  if (a.type === b.type) return { type: a.type, ...wide };
  const pair = [a.type, b.type].toSorted().join('+');
  if (pair === 'BIGINT+DOUBLE' && !beyondDouble) return { type: 'DOUBLE' };
  if (pair === 'DATE+TIMESTAMP') return { type: 'TIMESTAMP' };
  return { type: 'VARCHAR' };
}

/** The columns of several schemas in the order of their first appearance, each in the type where they meet. */
export function meetColumns(schemas: readonly (readonly Column[])[]): Map<string, MeetingColumn> {
  const met = new Map<string, MeetingColumn>();
  for (const column of schemas.flat()) {
    const known = met.get(column.name);
    met.set(column.name, known ? meet(known, column) : column);
  }
  return met;
}
