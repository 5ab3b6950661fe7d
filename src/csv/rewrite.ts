import { Tokenizer, type Block } from './tokenizer.ts';

// V8 would load imported constants again for every byte.
const QUOTE = 0x22;
const LF = 0x0a;
const COMMA = 0x2c;
/** A record of one empty field, which is not a blank line. */
const NO_VALUE = [QUOTE, QUOTE, LF];

/** Most bytes that one byte becomes, on average over a record (`,` between semicolons: `","`; a blank line: `""`). */
export const MAX_REWRITE_GROWTH = 3;
/** Bytes by which the last record may also grow. */
const MARGIN_BYTES = 16;

interface Target {
  bytes: Uint8Array;
  /** Index of the next byte. */
  at: number;
}

/**
 * Writes the whole records of a block in the one form that all readers read alike: commas, LF ends, no blank lines, and
 * quotes around every field with a quote or comma. Values stay as they are, byte for byte.
 * @returns the bytes written, and the start of the record that continues behind the block.
 */
export function rewriteRecords(
  bytes: Uint8Array,
  block: Block,
  { delimiter, columns }: { delimiter: number; columns: number },
): { written: Uint8Array; left: number } {
  const { start, limit } = block;
  const size = (limit - start) * MAX_REWRITE_GROWTH + MARGIN_BYTES;
  const target: Target = { bytes: Buffer.allocUnsafe(size), at: 0 };
  const tokenizer = new Tokenizer(delimiter);
  const left = tokenizer.readAll(bytes, block, (record) => {
    if (!tokenizer.isBlank(record)) rewriteRecord(bytes, record, tokenizer, target);
    else if (columns === 1) for (const byte of NO_VALUE) put(target, byte);
  });
  return { written: target.bytes.subarray(0, target.at), left };
}

function rewriteRecord(
  bytes: Uint8Array,
  start: number,
  { ends, fields }: Tokenizer,
  target: Target,
): void {
  let from = start;
  for (let field = 0; field < fields; field += 1) {
    const to = ends[field] as number;
    copyField(bytes, from, to, target);
    put(target, field === fields - 1 ? LF : COMMA);
    from = to + 1;
  }
}

function copyField(bytes: Uint8Array, from: number, to: number, target: Target): void {
  const out = target.bytes;
  let at = target.at;
  let needsQuotes = false;
  for (let index = from; index < to; index += 1) {
    const byte = bytes[index] as number;
    if (byte === QUOTE || byte === COMMA) needsQuotes = true;
    out[at] = byte;
    at += 1;
  }
  if (!needsQuotes || bytes[from] === QUOTE) {
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

function put(target: Target, byte: number): void {
  target.bytes[target.at] = byte;
  target.at += 1;
}
