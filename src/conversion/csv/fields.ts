export const QUOTE = 0x22;
export const LF = 0x0a;
export const CR = 0x0d;

/** Bytes [start, limit) of a file; `end` where nothing comes behind them. */
export interface Block {
  start: number;
  limit: number;
  end: boolean;
}

export const INCOMPLETE = -1;

/** Behind the closing quote of the field that starts at `from`; the limit where there is none. */
export function endOfQuoted(bytes: Uint8Array, from: number, limit: number): number {
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

/** The delimiter or line end behind the field: there must be one, so blocks end with a sentinel. */
export function endOfPlain(bytes: Uint8Array, from: number, delimiter: number): number {
  // Nearly all bytes of a text are above every byte that could end it: one comparison for them.
  const top = delimiter > CR ? delimiter : CR;
  let at = from;
  for (;;) {
    const byte = bytes[at] as number;
    if (byte <= top && (byte === delimiter || byte === LF || byte === CR)) return at;
    at += 1;
  }
}

/** Where the record behind a line end starts; INCOMPLETE where its LF may be in the next block. */
export function startOfNext(bytes: Uint8Array, lineEnd: number, block: Block): number {
  const { limit, end } = block;
  if (bytes[lineEnd] !== CR) return Math.min(lineEnd + 1, limit);
  if (lineEnd + 1 >= limit) return end ? limit : INCOMPLETE;
  return lineEnd + (bytes[lineEnd + 1] === LF ? 2 : 1);
}
