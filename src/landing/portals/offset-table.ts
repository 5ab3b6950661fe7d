import { LonghaulError } from '../../model/errors.ts';
import type { PortalTable } from '../../model/portal.ts';
import { canonicalRecord } from './canonical-csv.ts';
import type { Cursor, Page, PagedTable } from './paged-table.ts';
import { countersOf, NO_TALLY, rendered, type JsonRecord, type Tally } from './records.ts';

/** The first page is small, as nothing is known of the records' length. */
const FIRST_PAGE_RECORDS = 1000;
/** More are slow to sort, and no known portal allows more than 50,000. */
const MAX_PAGE_RECORDS = 10_000;
/** Few requests for a whole table, and a page is small in memory. */
const PAGE_BYTES = 4 * 1024 * 1024;

/** What an edit during the reading changes. */
export interface TableState {
  /** Absent where the portal has nothing that changes with the records. */
  version?: string;
  count: number;
}

export interface RecordsPage {
  records: JsonRecord[];
  /** Of the answer. */
  bytes: number;
}

/** A table whose pages are asked for by offset and limit, in one order. */
export interface OffsetTable {
  /** How messages name it. */
  shown: string;
  /** Publisher's names, in the order of the CSV. */
  columns: readonly string[];
  state: TableState;
  /** At most `limit` records, maybe fewer. @throws LonghaulError ANSWER_TOO_LONG, SOURCE_…. */
  page(offset: number, limit: number): Promise<RecordsPage>;
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
    header: canonicalRecord(columns),
    start: { offset: 0, lastId: null, ...NO_TALLY },
    pages: (from) => pages(table, from),
    facts: (end) => ({ ...facts, isCanonical: true, records: state.count, ...countersOf(end) }),
    close: async () => await table.close(),
  };
}

async function* pages(table: OffsetTable, from: OffsetCursor): AsyncGenerator<Page<OffsetCursor>> {
  const { shown, state, columns } = table;
  const size = new PageSize();
  for (let at = from; ;) {
    const { records, bytes } = await size.ask(async (limit) => await table.page(at.offset, limit));
    const offset = at.offset + records.length;
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
    size.learn(bytes, records.length);
    const { text, tally } = rendered(records, columns, at);
    at = { offset, lastId, ...tally };
    yield { text, records: records.length, next: at };
  }
}

async function assertUnchanged(table: OffsetTable): Promise<void> {
  const { shown, state } = table;
  const now = await table.stateNow();
  if (now.version === state.version && now.count === state.count) return;
  const counts = now.count === state.count ? '' : `: ${state.count} records, then ${now.count}`;
  const what = `The publisher edited ${shown} while its pages were being read${counts}.`;
  throw new LonghaulError('SOURCE_CHANGED', what);
}

function invalid(what: string): LonghaulError {
  return new LonghaulError('PORTAL_ANSWER_INVALID', what);
}

/** How many records are asked for: so many that an answer is neither tiny nor too long. No byte of the CSV depends on it. */
class PageSize {
  #records = FIRST_PAGE_RECORDS;

  /** With fewer records at once where an answer is too long. */
  async ask(page: (limit: number) => Promise<RecordsPage>): Promise<RecordsPage> {
    for (;;) {
      try {
        return await page(this.#records);
      } catch (error) {
        const isTooLong = error instanceof LonghaulError && error.code === 'ANSWER_TOO_LONG';
        if (!isTooLong || this.#records === 1) throw error;
        this.#records = Math.ceil(this.#records / 4);
      }
    }
  }

  learn(bytes: number, records: number): void {
    const fitting = Math.floor((PAGE_BYTES * records) / Math.max(1, bytes));
    this.#records = Math.max(1, Math.min(fitting, MAX_PAGE_RECORDS));
  }
}
