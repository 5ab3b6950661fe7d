import { LonghaulError } from '../../model/errors.ts';
import type { PortalTable } from '../../model/manifest.ts';
import { canonicalRecord } from './canonical-csv.ts';
import { stillPortal } from './no-such-portal.ts';
import { oneAhead } from './one-ahead.ts';
import { PageSize, type Effort } from './page-size.ts';
import type { Cursor, Page, PagedTable } from './paged-table.ts';
import { countersOf, NO_TALLY, rendered, type JsonRecord, type Tally } from './records.ts';

/** What an edit during the reading changes. */
export interface TableState {
  /** Absent where the portal has nothing that changes with the records. */
  version?: string;
  count: number;
}

/** A table whose pages are asked for by offset and limit, in one order. */
export interface OffsetTable {
  /** How messages name it. */
  shown: string;
  /** Publisher's names, in the order of the CSV. */
  columns: readonly string[];
  state: TableState;
  /** At most `limit` records, maybe fewer. @throws LonghaulError ANSWER_TOO_LONG, SOURCE_…. */
  page(offset: number, limit: number, effort: Effort): Promise<JsonRecord[]>;
  /**
   * That a page follows the one before it.
   * @param before what this said of that page; null at the start.
   * @returns the id that the next page is compared with; undefined where records repeat, or have no id.
   */
  follows(before: string | null, records: readonly JsonRecord[]): string | undefined;
  stateNow(): Promise<TableState>;
  facts: PortalTable;
  close(): Promise<void>;
}

export interface OffsetCursor extends Cursor, Tally {
  offset: number;
  lastId: string | null;
}

/** All pages, until one is empty: a short one may be a cap. The portal's count must be met, and its version stay. */
export function pagesByOffset(table: OffsetTable): PagedTable<OffsetCursor> {
  const { columns, state, facts } = table;
  return {
    ...(state.version !== undefined && { version: state.version }),
    records: state.count,
    header: canonicalRecord(columns),
    start: { offset: 0, lastId: null, ...NO_TALLY },
    pages: (from) => oneAhead(pages(table, from)),
    facts: (end) => ({ ...facts, isCanonical: true, records: state.count, ...countersOf(end) }),
    close: async () => await table.close(),
  };
}

async function* pages(
  table: OffsetTable,
  start: OffsetCursor,
): AsyncGenerator<Page<OffsetCursor>, void> {
  const { shown, state, columns } = table;
  const size = new PageSize();
  for (let at = start; ;) {
    const { offset: from } = at;
    const records = await size.ask(async (limit, effort) => await table.page(from, limit, effort));
    const offset = from + records.length;
    if (records.length === 0 || offset > state.count) await assertUnchanged(table);
    if (offset > state.count || (records.length === 0 && offset < state.count)) {
      const found = records.length === 0 ? offset : 'more';
      throw invalid(`${shown} counts ${state.count} records, and its pages have ${found}.`);
    }
    if (records.length === 0) return;
    const lastId = table.follows(at.lastId, records);
    if (lastId === undefined) {
      await assertUnchanged(table);
      throw invalid(
        `${shown} answers with records that repeat, are in another order, or have no id.`,
      );
    }
    const { text, tally } = rendered(records, columns, at);
    at = { offset, lastId, ...tally };
    yield { text, records: records.length, next: at };
  }
}

async function assertUnchanged(table: OffsetTable): Promise<void> {
  const { shown, state } = table;
  const now = await stillPortal(shown, async () => await table.stateNow());
  if (now.version === state.version && now.count === state.count) return;
  const counts = now.count === state.count ? '' : `: ${state.count} records, then ${now.count}`;
  const what = `The publisher edited ${shown} while its pages were being read${counts}.`;
  throw new LonghaulError('SOURCE_CHANGED', what);
}

function invalid(what: string): LonghaulError {
  return new LonghaulError('PORTAL_ANSWER_INVALID', what);
}
