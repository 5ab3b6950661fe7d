import { LonghaulError, type ErrorCode } from '../../model/errors.ts';
import type { PagedTable } from './paged-table.ts';
import { MAX_PAGE_BYTES, type PortalAsked } from './portal-client.ts';
import { rowsOf, type JsonRecord } from './records.ts';

/** Two pages are in memory, about 10 MB each with records of 1 kB. Longer pages would save little time. */
const MAX_PAGE_RECORDS = 5000;
/** If a page is longer, the worker asks for half as many records. A page of one record may be longer. */
const MAX_BYTES_OF_MANY = 16 * 1024 * 1024;
/** Most failures pass, so the worker asks for a failed page once more before it makes the page smaller. */
const TRIES_OF_MANY = 2;
/** The number of pages without a failure before the worker tries a longer page. */
const PAGES_BEFORE_GROWTH = 16;

/** Errors that may not occur if the worker asks for fewer records. */
const TOO_MUCH: ReadonlySet<ErrorCode> = new Set([
  'ANSWER_TOO_LONG',
  'SOURCE_STALLED',
  'SOURCE_TOO_SLOW',
  'SOURCE_TRUNCATED',
  'SOURCE_UNAVAILABLE',
  'SOURCE_UNREACHABLE',
]);

export type Effort = Pick<PortalAsked, 'maxBytes' | 'tries'>;

/** The number of records to ask for in one page: fewer when the server fails, and later more again. */
export class PageSize {
  readonly #most: number;
  #records: number;
  #wellDone = 0;

  constructor(maxRecordCount = MAX_PAGE_RECORDS) {
    this.#most = Math.min(maxRecordCount, MAX_PAGE_RECORDS);
    this.#records = this.#most;
  }

  /** @throws what `ask` throws for a page of one record, and errors that a smaller page would not change. */
  async ask<T>(ask: (records: number, effort: Effort) => Promise<T>): Promise<T> {
    for (let isFirst = true; ; isFirst = false) {
      try {
        const answer = await ask(this.#records, effortOf(this.#records, isFirst));
        this.#grow();
        return answer;
      } catch (error) {
        if (!(error instanceof LonghaulError) || !TOO_MUCH.has(error.code)) throw error;
        // The server says when to retry, so the size of the page is not the cause.
        if (error.details.retryAfterSeconds !== undefined) throw error;
        if (!this.shrink()) throw error;
      }
    }
  }

  /** Returns false if a page already has only one record. */
  shrink(): boolean {
    this.#wellDone = 0;
    if (this.#records === 1) return false;
    this.#records = Math.floor(this.#records / 2);
    return true;
  }

  #grow(): void {
    this.#wellDone += 1;
    if (this.#wellDone < PAGES_BEFORE_GROWTH) return;
    this.#wellDone = 0;
    this.#records = Math.min(this.#most, this.#records * 2);
  }
}

/** Reads a page of records from an offset. */
type ReadPage = (offset: number, limit: number, effort: Effort) => Promise<JsonRecord[]>;

/**
 * Reads a table by offset. A page without a record is the end. A short page is not.
 * @param afterOf returns the position behind the records; it checks that none of them was there before.
 */
export function byOffset(
  columns: readonly string[],
  page: ReadPage,
  afterOf: (records: JsonRecord[], before: string | null) => string | undefined,
): PagedTable['next'] {
  const size = new PageSize();
  return async ({ records: offset, after }) => {
    const records = await size.ask(async (limit, effort) => await page(offset, limit, effort));
    if (records.length === 0) return undefined;
    return { rows: rowsOf(records, columns), after: afterOf(records, after) };
  };
}

function effortOf(records: number, isFirst: boolean): Effort {
  if (records === 1) return { maxBytes: MAX_PAGE_BYTES };
  return { maxBytes: MAX_BYTES_OF_MANY, tries: isFirst ? TRIES_OF_MANY : 1 };
}
