import { LonghaulError, type ErrorCode } from '../../model/errors.ts';
import { MAX_PAGE_BYTES, type PortalAsked } from './portal-client.ts';

/** A page and the next one are in memory: some 10 MB each with records of 1 kB. Longer pages would save little time. */
const MAX_PAGE_RECORDS = 5000;
/** A longer page is asked for in halves. One record may be longer. */
const MAX_BYTES_OF_MANY = 16 * 1024 * 1024;
/** A page that fails is asked for once more before it is made smaller: most failures are passing. */
const TRIES_OF_MANY = 2;
/** So many pages go well before a longer one is tried again. */
const PAGES_BEFORE_GROWTH = 16;

/** Where a server that is asked for less may do better. */
const TOO_MUCH: ReadonlySet<ErrorCode> = new Set([
  'ANSWER_TOO_LONG',
  'SOURCE_STALLED',
  'SOURCE_TOO_SLOW',
  'SOURCE_TRUNCATED',
  'SOURCE_UNAVAILABLE',
  'SOURCE_UNREACHABLE',
]);

export type Effort = Pick<PortalAsked, 'maxBytes' | 'tries'>;

/** How many records are asked for at once: fewer where the server fails, and then more again. */
export class PageSize {
  readonly #most: number;
  #records: number;
  #wellDone = 0;

  constructor(maxRecordCount = MAX_PAGE_RECORDS) {
    this.#most = Math.min(maxRecordCount, MAX_PAGE_RECORDS);
    this.#records = this.#most;
  }

  /** @throws what `ask` throws for a page of one record, and what no smaller page would change. */
  async ask<T>(ask: (records: number, effort: Effort) => Promise<T>): Promise<T> {
    for (let isFirst = true; ; isFirst = false) {
      try {
        const answer = await ask(this.#records, effortOf(this.#records, isFirst));
        this.#grow();
        return answer;
      } catch (error) {
        if (!(error instanceof LonghaulError) || !TOO_MUCH.has(error.code)) throw error;
        // The server says when it can be asked again: it is not the page.
        if (error.details.retryAfterSeconds !== undefined) throw error;
        if (!this.shrink()) throw error;
      }
    }
  }

  /** False where it is one record already. */
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

function effortOf(records: number, isFirst: boolean): Effort {
  if (records === 1) return { maxBytes: MAX_PAGE_BYTES };
  return { maxBytes: MAX_BYTES_OF_MANY, tries: isFirst ? TRIES_OF_MANY : 1 };
}
