const QUOTE_BYTE = 0x22;
const CR_BYTE = 0x0d;
const LF_BYTE = 0x0a;

/**
 * Unquoted bytes from a place in a chunk up to what ends them: a line end, a quote, a NUL or the chunk's end. Its
 * delimiters are counted without a branch a byte: mispredicted branches are what a simpler loop's time goes into.
 */
export class UnquotedRun {
  readonly #delimiter: number;
  #chunk: Uint8Array = new Uint8Array();
  /** Where the chunk's next quote is, and its next NUL; its length where there is none. Each is found only once. */
  #quote = 0;
  #nul = 0;
  /** The nearer of them. */
  #limit = 0;
  /** A CR without LF was met: from then on the loop looks for each, or a file of them would take it quadratic time. */
  #hasLoneCr = false;
  delimiters = 0;
  /** The index of the LF, CR, quote or NUL that ends the run; the chunk's length where none does. */
  end = 0;

  constructor(delimiter: string) {
    this.#delimiter = delimiter.charCodeAt(0);
  }

  /** What was read stands in the fields. A CRLF ends the run at its CR. */
  read(chunk: Uint8Array, start: number): void {
    if (this.#chunk !== chunk || this.#limit < start) this.#look(chunk, start);
    if (this.#hasLoneCr || !this.#readToLf(chunk, start)) this.#readCarefully(chunk, start);
  }

  /** @returns false where there is a CR that is not just before the LF. */
  #readToLf(chunk: Uint8Array, start: number): boolean {
    const limit = this.#limit;
    const delimiter = this.#delimiter;
    let delimiters = 0;
    let returns = 0;
    let at = start;
    for (; at < limit; at += 1) {
      const byte = chunk[at] as number;
      if (byte === LF_BYTE) break;
      // 1 where the bytes are equal: nothing but 0 minus 1 is negative.
      delimiters += ((byte ^ delimiter) - 1) >>> 31;
      returns += ((byte ^ CR_BYTE) - 1) >>> 31;
    }
    const endsInCr = returns === 1 && at > start && chunk[at - 1] === CR_BYTE;
    this.delimiters = delimiters;
    this.end = endsInCr ? at - 1 : at;
    return returns === 0 || endsInCr;
  }

  #readCarefully(chunk: Uint8Array, start: number): void {
    this.#hasLoneCr = true;
    let at = start;
    this.delimiters = 0;
    for (; at < this.#limit; at += 1) {
      const byte = chunk[at];
      if (byte === LF_BYTE || byte === CR_BYTE) break;
      if (byte === this.#delimiter) this.delimiters += 1;
    }
    this.end = at;
  }

  #look(chunk: Uint8Array, start: number): void {
    const isNew = this.#chunk !== chunk;
    if (isNew || this.#quote < start) this.#quote = indexOrEnd(chunk, QUOTE_BYTE, start);
    if (isNew || this.#nul < start) this.#nul = indexOrEnd(chunk, 0, start);
    this.#chunk = chunk;
    this.#limit = Math.min(this.#quote, this.#nul);
  }
}

function indexOrEnd(chunk: Uint8Array, byte: number, start: number): number {
  const index = chunk.indexOf(byte, start);
  return index === -1 ? chunk.length : index;
}
