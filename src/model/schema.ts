/**
 * Column types and how they meet. A type is found from the whole file and only where every non-empty value,
 * written back from it in a fixed form, equals the publisher's text: see `docs/fidelity.md`.
 */
export const COLUMN_TYPES = ['BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'VARCHAR'] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];

/** Digits that always fit a 64-bit integer; longer ones stay text. */
export const MAX_BIGINT_DIGITS = 18;

/**
 * The fixed list of formats, tried in this order, in DuckDB's strptime letters. Padding is aside:
 * `1/2/2019` and `01/02/2019` are the same format. Where month first and day first both fit every value,
 * month first wins, as the publishers that this was made for write it.
 */
export const DATE_FORMATS = ['%Y-%m-%d', '%Y/%m/%d', '%m/%d/%Y', '%d/%m/%Y', '%d.%m.%Y'] as const;

/** `%f` stands for an optional fraction of 1 to 6 digits, trailing zeros aside. */
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
  /** Normalised, unique. */
  name: string;
  publisherName: string;
  type: ColumnType;
  /** DATE and TIMESTAMP only: of the lists above. */
  format?: string;
  /** No record has a value: every type holds the column, so a view takes the type of other sources. */
  empty?: true;
  /** BIGINT only: the largest absolute value has more than 2^53 in it, so DOUBLE does not hold it. */
  beyondDouble?: true;
  /** datasets.yaml declared it. */
  declared?: true;
}

export interface Schema {
  columns: Column[];
}

type MeetingColumn = Pick<Column, 'type' | 'empty' | 'beyondDouble'>;

/**
 * The type that holds both columns' values exactly, else text; never an engine's own cast (a union of BIGINT
 * and DOUBLE made 9007199254740992.0 of …993).
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
