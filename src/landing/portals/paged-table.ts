import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import { LonghaulError } from '../../model/errors.ts';
import type { PortalTable } from '../../model/manifest.ts';
import type { From, OpenedSource, SourcePosition } from '../source.ts';
import { stillPortal } from './portal.ts';
import type { PortalClient } from './portal-client.ts';
import { CANONICAL, canonicalRecord, rendered, type Row, type Tally } from './records.ts';

/** The state of a table that a publisher's edit changes while the worker reads. */
export interface TableState {
  /** The version of the records and of the rendering. Absent if the portal has no value that changes with each edit. */
  version?: string;
  /** The number of records that the portal counts. */
  count: number;
  /** The fields, if the portal's version may be absent. */
  fields?: string;
}

/** The place where a table's pages continue. It is small, plain JSON, because checkpoints hold it. */
export type Cursor = Tally & Readonly<{ records: number; after: string | null }>;

export interface Page {
  rows: readonly Row[];
  /** The id after which the next page starts. Undefined if records repeat or have no id. */
  after: string | undefined;
}

/** A table that a portal sends page by page in a fixed order, with a version and a count. */
export interface PagedTable {
  /** The table's name in messages. */
  shown: string;
  /** The publisher's names of the columns, in the order of the CSV. */
  columns: readonly string[];
  state: TableState;
  /** Returns the next page, or undefined after the last record. @throws LonghaulError SOURCE_…. */
  next(at: Cursor): Promise<Page | undefined>;
  stateNow(): Promise<TableState>;
  /** Facts for the manifest that the CSV does not hold, without the counts. */
  facts: PortalTable;
}

/** The number of newest page starts to keep. A sink asks for a place in its newest part, which has fewer pages. */
const MAX_STARTS = 50_000;

/**
 * Opens the table as one CSV file. It continues where an earlier attempt ended, also inside a page. The worker requests
 * that page again, and the part that the lake already has must have the same bytes as before.
 */
export function openPaged(table: PagedTable, client: PortalClient): OpenedSource {
  const { columns, state } = table;
  const { from } = client.request;
  const isSame = state.version !== undefined && from?.validator.etag === state.version;
  const resumed = isSame ? from?.end : undefined;
  const position = resumed?.position;
  const starts: SourcePosition[] = [];
  let facts: PortalTable | undefined;

  const body = async function* (): AsyncGenerator<Buffer> {
    const start: Cursor = { records: 0, after: null, emptyTexts: {}, notNumbers: {} };
    let at: SourcePosition = position ?? { bytes: 0, crc32: 0, cursor: start };
    let end = at.cursor as Cursor;
    const passed = (piece: Buffer): void => {
      at = { bytes: at.bytes + piece.length, crc32: crc32(piece, at.crc32), cursor: end };
      starts.push(at);
      if (starts.length > MAX_STARTS) starts.shift();
    };
    if (position) starts.push(at);
    else {
      const header = Buffer.from(canonicalRecord(columns));
      yield header;
      passed(header);
    }
    for await (const { text, cursor } of oneAhead(pagesOf(table, end))) {
      end = cursor;
      const piece = encoded(text);
      if (piece.length > 0) yield piece;
      passed(piece);
    }
    const { records, emptyTexts, notNumbers } = end;
    facts = {
      ...{ ...table.facts, isCanonical: true, records },
      ...(isAny(emptyTexts) && { emptyTexts: { ...emptyTexts } }),
      ...(isAny(notNumbers) && { notNumbers: { ...notNumbers } }),
    };
  };

  return {
    validator: state.version === undefined ? {} : { etag: state.version },
    totalRecords: state.count,
    startOffset: resumed && position ? resumed.bytes : 0,
    reading: CANONICAL,
    body: resumed && position ? goneOn(body(), position, resumed) : body(),
    positionAt: (bytes) => starts.findLast((each) => each.bytes <= bytes),
    portal: () => facts,
    close: async () => await client.close(),
  };
}

function isAny(counts: Tally['emptyTexts']): boolean {
  return Object.keys(counts).length > 0;
}

/**
 * Yields the pages from a cursor to the end. Their records must match the portal's count, and the version must stay.
 */
async function* pagesOf(
  table: PagedTable,
  start: Cursor,
): AsyncGenerator<{ text: string; cursor: Cursor }, void> {
  const { shown, state, columns } = table;
  let at = start;
  for (;;) {
    const page = await table.next(at);
    if (!page) break;
    const { rows, after } = page;
    const records = at.records + rows.length;
    if (records > state.count || after === undefined) {
      await assertUnchanged(table);
      throw new LonghaulError(
        'PORTAL_ANSWER_INVALID',
        records > state.count
          ? `${shown} counts ${state.count} records, and its pages have more.`
          : `${shown} answers with records that repeat, are in another order, or have no id.`,
      );
    }
    const { text, tally } = rendered(rows, columns, at);
    at = { records, after, ...tally };
    yield { text, cursor: at };
  }
  await assertUnchanged(table);
  if (at.records === state.count) return;
  const what = `${shown} counts ${state.count} records, and its pages have ${at.records}.`;
  throw new LonghaulError('PORTAL_ANSWER_INVALID', what);
}

/** A portal has no snapshots, so the table must have the same state after its last page as before its first. */
export async function assertUnchanged({
  shown,
  state,
  stateNow,
}: Pick<PagedTable, 'shown' | 'state' | 'stateNow'>): Promise<void> {
  const now = await stillPortal(shown, stateNow);
  if (isDeepStrictEqual(now, state)) return;
  const counts = now.count === state.count ? '' : `: ${state.count} records, then ${now.count}`;
  const what = `The publisher edited ${shown} while it was being read${counts}.`;
  throw new LonghaulError('SOURCE_CHANGED', what);
}

/** Requests the next page while the caller handles the present one. */
async function* oneAhead<T>(items: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  const next = async (): Promise<IteratorResult<T, void>> => await items.next();
  for (let coming = next(); ;) {
    const found = await coming;
    if (found.done) return;
    coming = next();
    // The loop awaits the page later, or never if the caller has failed.
    coming.catch(() => undefined);
    yield found.value;
  }
}

/** @throws LonghaulError PORTAL_UNUSABLE for a lone surrogate, which UTF-8 would replace by another character. */
function encoded(text: string): Buffer {
  if (!/\p{Surrogate}/u.test(text)) return Buffer.from(text);
  const what = 'A text of the portal has a lone surrogate, which is not valid Unicode.';
  throw new LonghaulError('PORTAL_UNUSABLE', what);
}

/** Yields the bytes after `end`. The bytes before it must be the bytes that the lake has. */
async function* goneOn(
  body: AsyncIterable<Buffer>,
  position: SourcePosition,
  { bytes: offset, crc32: expected }: From['end'],
): AsyncGenerator<Buffer> {
  let { bytes, crc32: crc } = position;
  for await (const piece of body) {
    const again = Math.min(piece.length, Math.max(0, offset - bytes));
    if (again > 0) crc = crc32(piece.subarray(0, again), crc);
    const isMet = bytes < offset && bytes + again === offset;
    bytes += again;
    if (isMet && crc !== expected) throw editedInPlace(offset);
    if (again < piece.length) yield piece.subarray(again);
  }
  if (bytes < offset) throw editedInPlace(offset);
}

function editedInPlace(offset: number): LonghaulError {
  const what = `The publisher edited records before byte ${offset} while they were being read, without a new version.`;
  return new LonghaulError('SOURCE_CHANGED', what);
}
