import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';

/** Values of the kinds of column that a publisher's file may have. */
export const KINDS = {
  BIGINT: ['0', '-3', '12', '400000000000'],
  LONG: ['9007199254740993', '9007199254740995', '-9007199254740997', '900719925474099301'],
  DOUBLE: ['0.5', '-1.25', '100.125', '0.0001'],
  DATE: ['2026-01-31', '1969-12-31', '2024-02-29', '0999-01-01'],
  US_DATE: ['01/31/2026', '12/31/1969', '02/29/2024', '07/04/2025'],
  TIMESTAMP: ['2026-01-31 23:59:59', '1969-12-31 00:00:00.5', '2024-02-29 12:00:00.000001'],
  TEXT: ['x', 'Æ\u{1f600}', 'two\nlines', 'a,"b"', 'as long as no bound of a file keeps: é'],
} as const satisfies Record<string, readonly string[]>;

export type Kind = keyof typeof KINDS;

interface PlannedColumn {
  /** The name as the publisher writes it. */
  header: string;
  kind: Kind;
  /** Numbers that choose which of the kind's values the column has, and which of them are absent. */
  salt: number;
  gaps: 'none' | 'some' | 'all';
}

export interface PlannedSource {
  id: string;
  state: 'new' | 'unchanged' | 'missing';
  columns: PlannedColumn[];
  rows: number;
}

/** A publication of a day, which may be a further revision, or a withdrawal of the day's newest revision. */
export interface DayEvent {
  day: string;
  sources: PlannedSource[] | 'withdrawn';
}

/** A source's file at its publisher. */
export interface PublishedFile {
  columns: { name: string; kind: Kind | undefined }[];
  rows: (string | null)[][];
  csv: string;
}

const column = fc.record<PlannedColumn>({
  header: fc.constantFrom('v', 'w', 'Case Summary', 'case_summary'),
  kind: fc.constantFrom(...(Object.keys(KINDS) as Kind[])),
  salt: fc.nat(4),
  gaps: fc.constantFrom('none', 'none', 'some', 'all'),
});

const source = fc.record<PlannedSource>({
  id: fc.constantFrom('a', '2024_q1', 'b.x-1'),
  state: fc.constantFrom('new', 'new', 'new', 'unchanged', 'missing'),
  columns: fc.uniqueArray(column, { selector: ({ header }) => nameOf(header), maxLength: 3 }),
  rows: fc.nat(3),
});

const dayEvent = fc.record<DayEvent>({
  day: fc.constantFrom('2026-01-01', '2026-01-02', '2026-01-03', '2026-01-05'),
  sources: fc.oneof(
    { weight: 7, arbitrary: fc.uniqueArray(source, { selector: ({ id }) => id, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constant('withdrawn' as const) },
  ),
});

const inAnyOrder = fc.array(dayEvent, { minLength: 1, maxLength: 6 });

/** Days in order, or days in any order with revisions and backfills. */
export const dayEvents: fc.Arbitrary<DayEvent[]> = fc.oneof(
  inAnyOrder,
  inAnyOrder.map((all) => all.toSorted((a, b) => (a.day < b.day ? -1 : Number(a.day > b.day)))),
);

/** The file of a source. It has one column more, so that no record is a blank line. */
export function publishedFile({ columns, rows: count }: PlannedSource): PublishedFile {
  const all = [{ header: 'id', kind: 'BIGINT', salt: 0, gaps: 'none' } as const, ...columns];
  const numbers = Array.from({ length: count }, (_, index) => index);
  const rows = numbers.map((row) => all.map((each) => valueOf(each, row)));
  return {
    columns: all.map(({ header, kind }, index) => ({
      name: nameOf(header),
      kind: rows.some((row) => row[index] !== null) ? kind : undefined,
    })),
    rows,
    csv: stringify([all.map(({ header }) => header), ...rows]),
  };
}

/** Longhaul takes columns for the same if their names differ only in case and blanks. */
function nameOf(header: string): string {
  return header.toLowerCase().replaceAll(' ', '_');
}

function valueOf({ kind, salt, gaps }: PlannedColumn, row: number): string | null {
  if (gaps === 'all' || (gaps === 'some' && (row + salt) % 2 === 0)) return null;
  const values = KINDS[kind];
  return values[(row + salt) % values.length] ?? null;
}
