import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import { LonghaulError } from '../../model/errors.ts';
import type { PortalTable } from '../../model/manifest.ts';
import type { From, OpenedSource, SourcePosition } from '../source.ts';
import { stillPortal } from './portal.ts';
import type { PortalClient } from './portal-client.ts';
import { CANONICAL, canonicalRecord, rendered, type Row, type Tally } from './records.ts';

/** What an edit during the reading changes. */
export interface TableState {
  /** Of the records and of how they are rendered; absent where the portal has nothing that changes with them. */
  version?: string;
  /** What the portal counts. */
  count: number;
  /** Of a portal whose version may be absent. */
  fields?: string;
}

/** Where a table's pages go on: small, plain JSON; it lies in checkpoints. */
export type Cursor = Tally & Readonly<{ records: number; after: string | null }>;

export interface Page {
  rows: readonly Row[];
  /** The id that the next page follows; undefined where records repeat, or have no id. */
  after: string | undefined;
}

/** A table that a portal gives page by page, in one order, and whose version and count it says. */
export interface PagedTable {
  /** How messages name it. */
  shown: string;
  /** Publisher's names, in the order of the CSV. */
  columns: readonly string[];
  state: TableState;
  /** What follows; undefined behind the last record. @throws LonghaulError SOURCE_…. */
  next(at: Cursor): Promise<Page | undefined>;
  stateNow(): Promise<TableState>;
  /** What the CSV does not say, but for what is counted. */
  facts: PortalTable;
}

/** Page starts that are kept: 32 parts of S3 on their way, of 64 MiB each, have fewer than this many pages. */
const MAX_STARTS = 50_000;

/**
 * The table as one CSV file. It goes on where an earlier attempt ended, in the middle of a page too: that page is asked for
 * again, and its part that is there already must have the bytes of the first time.
 */
export function openPaged(table: PagedTable, client: PortalClient): OpenedSource {
  const { columns, state } = table;
  const { from } = client.request;
  const isSame = state.version !== undefined && from?.validator.etag === state.version;
  // A checkpoint of before cursors had this form has no `records`: it is not gone on with.
  const isOfUs = isSame && from?.position?.cursor['records'] !== undefined;
  const resumed = isOfUs ? from : undefined;
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
    startOffset: resumed && position ? resumed.offset : 0,
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

/** The pages from a cursor to the end. The portal's count must be met, and its version stay. */
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

/** A portal has no snapshot to read from: so a table must be after its last page what it was before the first. */
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

/** The next page is asked for while this one is taken in. */
async function* oneAhead<T>(items: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  const next = async (): Promise<IteratorResult<T, void>> => await items.next();
  for (let coming = next(); ;) {
    const found = await coming;
    if (found.done) return;
    coming = next();
    // It is awaited later, or never where the reader has failed.
    coming.catch(() => undefined);
    yield found.value;
  }
}

/** @throws LonghaulError PORTAL_UNUSABLE for half a character, in whose place UTF-8 would have another one. */
function encoded(text: string): Buffer {
  if (!/\p{Surrogate}/u.test(text)) return Buffer.from(text);
  const what = 'A text of the portal holds half a character, a surrogate that is alone.';
  throw new LonghaulError('PORTAL_UNUSABLE', what);
}

/** The bytes behind `offset`; those before it must be the ones that the lake has. */
async function* goneOn(
  body: AsyncIterable<Buffer>,
  position: SourcePosition,
  { offset, crc32: expected }: From,
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
