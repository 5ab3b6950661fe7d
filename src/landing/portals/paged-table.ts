import { crc32 } from 'node:zlib';
import { LonghaulError } from '../../model/errors.ts';
import type { PortalTable } from '../../model/manifest.ts';
import type { From, OpenedSource, OpenRequest, SourcePosition } from '../source.ts';
import { CANONICAL } from './canonical-csv.ts';

/** What a table's pages go on from: small, plain JSON; it lies in checkpoints. */
export type Cursor = Readonly<Record<string, unknown>>;

export interface Page<C extends Cursor> {
  /** Records as canonical CSV: what follows from the records alone, never from the page's size. */
  text: string;
  records: number;
  /** Where the next page begins. */
  next: C;
}

/** A table that a portal gives page by page, in one order, and whose version and count it says. */
export interface PagedTable<C extends Cursor> {
  /** Of the records and of how they are rendered; absent where the portal has nothing that changes with them. */
  version?: string;
  /** What the portal counts; absent where it counts none. */
  records?: number;
  /** The header as canonical CSV. */
  header: string;
  start: C;
  /**
   * The pages from a cursor to the end, and then the portal's version and count once more.
   * @throws LonghaulError SOURCE_CHANGED where they are others now; SOURCE_….
   */
  pages(from: C): AsyncIterable<Page<C>>;
  /** What the CSV does not say. @param end the cursor behind the last page. */
  facts(end: C): PortalTable;
  close(): Promise<void>;
}

/** Page starts that are kept: 32 parts of S3 on their way, of 64 MiB each, have fewer than this many pages. */
const MAX_STARTS = 50_000;

/**
 * The table as one CSV file. It goes on where an earlier attempt ended, in the middle of a page too: that page is asked for
 * again, and its part that is there already must have the bytes of the first time.
 */
export function openPaged<C extends Cursor>(
  table: PagedTable<C>,
  { from }: Pick<OpenRequest, 'from'>,
): OpenedSource {
  const resumed =
    table.version !== undefined && from?.validator.etag === table.version ? from : undefined;
  const position = resumed?.position;
  const starts: SourcePosition[] = [];
  let facts: PortalTable | undefined;

  const rendered = async function* (): AsyncGenerator<Buffer> {
    let at: SourcePosition = position ?? { bytes: 0, crc32: 0, cursor: table.start };
    let end = at.cursor as C;
    const passed = (piece: Buffer): void => {
      at = { bytes: at.bytes + piece.length, crc32: crc32(piece, at.crc32), cursor: end };
      starts.push(at);
      if (starts.length > MAX_STARTS) starts.shift();
    };
    if (position) starts.push(at);
    else {
      const header = Buffer.from(table.header);
      yield header;
      passed(header);
    }
    for await (const { text, next } of table.pages(end)) {
      end = next;
      const piece = encoded(text);
      if (piece.length > 0) yield piece;
      passed(piece);
    }
    facts = table.facts(end);
  };

  return {
    validator: table.version === undefined ? {} : { etag: table.version },
    totalRecords: table.records,
    startOffset: resumed && position ? resumed.offset : 0,
    reading: CANONICAL,
    body: resumed && position ? goneOn(rendered(), position, resumed) : rendered(),
    positionAt: (bytes) => starts.findLast((each) => each.bytes <= bytes),
    portal: () => facts,
    close: async () => await table.close(),
  };
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
