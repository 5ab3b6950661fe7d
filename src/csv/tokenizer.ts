export const QUOTE = 0x22;
const LF = 0x0a;
const CR = 0x0d;

/** Bytes [start, limit) of a file. `bytes[limit]` exists and is overwritten with a line end, which ends every loop. */
export interface Block {
  start: number;
  limit: number;
  /** Whether the file ends at the limit. */
  end: boolean;
}

/** The record, or the line end behind it, continues behind the block. */
export const INCOMPLETE = -1;

/**
 * Reads whole records in memory by RFC 4180. It is the only reader of fields. docs/decisions/0032-one-csv-room.md says
 * why the scanner counts records without it.
 */
export class Tokenizer {
  /** Index behind each field of the last record, with its quotes. The next field starts one byte later. */
  readonly ends: number[] = [];
  /** Number of `ends` that belong to the last record. */
  fields = 0;
  readonly #delimiter: number;

  /** @param delimiter value of the byte. */
  constructor(delimiter: number) {
    this.#delimiter = delimiter;
  }

  /** Reads the record at `start`. @returns where the next one starts, or INCOMPLETE. */
  read(bytes: Uint8Array, start: number, { limit, end }: Block): number {
    const delimiter = this.#delimiter;
    const { ends } = this;
    bytes[limit] = LF;
    let from = start;
    for (let field = 0; ; field += 1) {
      // Bytes behind a closing quote also belong to the field.
      const plain = bytes[from] === QUOTE ? endOfQuoted(bytes, from, limit) : from;
      const to = endOfPlain(bytes, plain, delimiter);
      if (to >= limit && !end) return INCOMPLETE;
      ends[field] = to;
      if (bytes[to] === delimiter) {
        from = to + 1;
        continue;
      }
      this.fields = field + 1;
      return startOfNext(bytes, to, limit, end);
    }
  }

  /**
   * Reads the whole records of a block, one after the other.
   * @param take gets the start of each.
   * @returns the start of the record that continues behind the block.
   */
  readAll(bytes: Uint8Array, block: Block, take: (start: number) => void): number {
    let record = block.start;
    while (record < block.limit) {
      const next = this.read(bytes, record, block);
      if (next === INCOMPLETE) break;
      take(record);
      record = next;
    }
    return record;
  }

  /** Whether the last record, which started at `start`, is a blank line. */
  isBlank(start: number): boolean {
    return this.fields === 1 && this.ends[0] === start;
  }
}

/** Index of the next delimiter or line end. */
function endOfPlain(bytes: Uint8Array, from: number, delimiter: number): number {
  let at = from;
  // Nearly all bytes of a text are above every byte that could end it, and cost only one comparison.
  const top = delimiter > CR ? delimiter : CR;
  for (;;) {
    const byte = bytes[at] as number;
    if (byte <= top && (byte === delimiter || byte === LF || byte === CR)) return at;
    at += 1;
  }
}

/** Index behind the closing quote; the limit if there is none. */
function endOfQuoted(bytes: Uint8Array, from: number, limit: number): number {
  let at = from + 1;
  while (at < limit) {
    if (bytes[at] === QUOTE) {
      if (bytes[at + 1] !== QUOTE) return at + 1;
      at += 1;
    }
    at += 1;
  }
  return limit;
}

function startOfNext(bytes: Uint8Array, lineEnd: number, limit: number, end: boolean): number {
  if (bytes[lineEnd] !== CR) return Math.min(lineEnd + 1, limit);
  if (lineEnd + 1 >= limit) return end ? limit : INCOMPLETE;
  return lineEnd + (bytes[lineEnd + 1] === LF ? 2 : 1);
}
