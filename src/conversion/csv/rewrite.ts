import { endOfPlain, endOfQuoted, INCOMPLETE, LF, QUOTE, startOfNext } from './fields.ts';
import type { Block } from './fields.ts';

const COMMA = 0x2c;
/** An empty field that is no blank line. */
const NO_VALUE = Buffer.from('""');

/** A byte becomes at most so many, on average over a record (`,` between semicolons: `","`; a blank line: `""`). */
export const MAX_REWRITE_GROWTH = 3;

interface RewriteTarget {
  bytes: Uint8Array;
  /** Where the next byte goes. */
  at: number;
}

/**
 * Writes the whole records of a block in the one form that leaves nothing to a reader's judgement: commas, LF
 * ends, no blank lines, a field quoted wherever a quote or comma in it was not. Values stay as they are, byte
 * for byte. `bytes[limit]` must exist: it is overwritten by a sentinel.
 * @returns where the record that goes on behind the block starts.
 */
export function rewriteRecords(
  bytes: Uint8Array,
  block: Block,
  source: { delimiter: number; columns: number },
  target: RewriteTarget,
): number {
  bytes[block.limit] = LF;
  let record = block.start;
  while (record < block.limit) {
    const before = target.at;
    const next = rewriteRecord(bytes, block, record, source, target);
    if (next === INCOMPLETE) {
      target.at = before;
      return record;
    }
    record = next;
  }
  return block.limit;
}

function rewriteRecord(
  bytes: Uint8Array,
  block: Block,
  start: number,
  { delimiter, columns }: { delimiter: number; columns: number },
  target: RewriteTarget,
): number {
  const { limit, end } = block;
  let from = start;
  for (;;) {
    const quoted = bytes[from] === QUOTE;
    const to = quoted ? endOfQuoted(bytes, from, limit) : endOfPlain(bytes, from, delimiter);
    if (to >= limit && !end) return INCOMPLETE;
    const isBlankLine = to === start && bytes[to] !== delimiter;
    if (isBlankLine && columns === 1) copyField(NO_VALUE, 0, NO_VALUE.length, true, target);
    else if (!isBlankLine) copyField(bytes, from, to, quoted, target);
    if (bytes[to] === delimiter) {
      put(target, COMMA);
      from = to + 1;
      continue;
    }
    if (!isBlankLine || columns === 1) put(target, LF);
    return startOfNext(bytes, to, block);
  }
}

function copyField(
  bytes: Uint8Array,
  from: number,
  to: number,
  quoted: boolean,
  target: RewriteTarget,
): void {
  const out = target.bytes;
  let at = target.at;
  let needsQuotes = false;
  for (let index = from; index < to; index += 1) {
    const byte = bytes[index] as number;
    if (byte === QUOTE || byte === COMMA) needsQuotes = true;
    out[at] = byte;
    at += 1;
  }
  if (quoted || !needsQuotes) {
    target.at = at;
    return;
  }
  put(target, QUOTE);
  for (let index = from; index < to; index += 1) {
    const byte = bytes[index] as number;
    if (byte === QUOTE) put(target, QUOTE);
    put(target, byte);
  }
  put(target, QUOTE);
}

function put(target: RewriteTarget, byte: number): void {
  target.bytes[target.at] = byte;
  target.at += 1;
}
