import type { Encoding } from '../model/dataset.ts';
import { firstRecordOffset, type CsvScan, type Dialect } from '../model/scan.ts';
import { CleanRecords, scanKernel, type ScanKernel } from './clean-records.ts';
import { EncodingDetector } from './encoding-detector.ts';
import {
  FIELD_START,
  initialState,
  isDigit,
  meetBareQuote,
  RecordCounter,
  scanOf,
  settleBareQuote,
  type ScannerState,
} from './scanner-state.ts';

/**
 * Least distance between the record starts in `splits`: small enough to share a file among cores, and large enough that
 * a terabyte has only 60,000 of them.
 */
export const SPLIT_SPACING_BYTES = 16 * 1024 * 1024;

/** The search for clean bytes does not pay for fewer in a row. */
const MIN_CLEAN_BYTES = 512;
/** Bytes that the exact machine reads before it tries the kernel again; doubled if the kernel gained nothing. */
const MIN_CAREFUL_BYTES = 64;
const MAX_CAREFUL_BYTES = 64 * 1024;
/** Most records end within these bytes. A piece that the machine reads carefully is longer by no more. */
const CAREFUL_RECORD_BYTES = 4096;

// States of the machine between two bytes, besides FIELD_START.
const UNQUOTED = 1;
const QUOTED = 2;
/** After a quote inside a quoted field. It closes the field, or is the first half of an escaped quote. */
const QUOTE_IN_QUOTED = 3;
/** After a CR that ended a record. An LF belongs to the same line end. */
const AFTER_CR = 4;
/** After a quote inside an unquoted field. Its meaning depends on whether the field ends with it. */
const AFTER_BARE_QUOTE = 5;

// V8 would load imported constants again for every byte, which costs the loops below a fifth of their speed.
const QUOTE = 0x22;
const CR = 0x0d;
const LF = 0x0a;

/** 1 for a byte that ends a run of unquoted bytes. */
const ENDS_RUN = Uint8Array.from({ length: QUOTE + 1 }, (_, byte) =>
  [0, LF, CR, QUOTE].includes(byte) ? 1 : 0,
);

/**
 * Scans bytes by RFC 4180, in pieces of any size: other pieces of the same bytes give the same scan. A quote opens a
 * field only as its first byte. CRLF, LF and CR each end a record. The scanner never throws on content: `problems` has
 * what a converter could not read without guessing.
 */
export class CsvScanner {
  readonly #dialect: Dialect;
  readonly #state: ScannerState;
  readonly #encoding: EncodingDetector;
  readonly #delimiter: number;
  readonly #counter: RecordCounter;
  readonly #kernel: ScanKernel | null;

  /**
   * @param state state of an earlier scanner with the same dialect, from which this one continues.
   * @param splitSpacingBytes for tests, whose files are small.
   * @param kernel null if there is none: the scan is the same, but much slower.
   */
  constructor(
    dialect: Dialect,
    state: ScannerState = initialState(dialect),
    splitSpacingBytes = SPLIT_SPACING_BYTES,
    kernel = scanKernel(),
  ) {
    this.#dialect = dialect;
    this.#kernel = kernel;
    this.#state = structuredClone(state);
    this.#encoding = new EncodingDetector(this.#state.encoding);
    this.#counter = new RecordCounter(dialect, this.#state, splitSpacingBytes);
    this.#delimiter = dialect.delimiter.charCodeAt(0);
  }

  /** Data records that have ended so far. */
  get records(): number {
    return this.#state.records;
  }

  push(chunk: Uint8Array): void {
    const state = this.#state;
    const before = firstRecordOffset(this.#dialect) - state.offset;
    const skipped = Math.min(Math.max(before, 0), chunk.length);
    const rest = skipped > 0 ? chunk.subarray(skipped) : chunk;
    state.offset += skipped;
    this.#encoding.push(rest, state.offset);
    if (this.#kernel) this.#readFast(rest, this.#kernel);
    else this.#readCarefully(rest, Infinity);
  }

  state(): ScannerState {
    return structuredClone(this.#state);
  }

  /**
   * Ends the file. The scanner cannot be used again.
   * @param declared the encoding of the header's names; by default UTF-8 if the whole file is UTF-8, else Windows-1252.
   */
  finish(declared?: Encoding): CsvScan {
    const state = this.#state;
    if (state.mode === AFTER_CR) state.lineEnds.cr += 1;
    else if (state.offset > state.recordStart) this.#endOfFile();
    return scanOf(this.#dialect, state, this.#encoding.finish(state.offset), declared);
  }

  /** The kernel reads clean records, and the machine the others. Neither reads what the other has read. */
  #readFast(chunk: Uint8Array, kernel: ScanKernel): void {
    const clean = new CleanRecords(kernel, chunk, this.#delimiter);
    let carefulBytes = MIN_CAREFUL_BYTES;
    let at = 0;
    while (at < chunk.length) {
      const skipped = this.#skipClean(clean, at);
      at += skipped;
      if (skipped >= MIN_CLEAN_BYTES) {
        carefulBytes = MIN_CAREFUL_BYTES;
        continue;
      }
      const piece = chunk.subarray(at, at + carefulBytes + CAREFUL_RECORD_BYTES);
      at += this.#readCarefully(piece, carefulBytes);
      carefulBytes = Math.min(carefulBytes * 2, MAX_CAREFUL_BYTES);
    }
  }

  /** @returns the bytes of clean records at `chunk[at]`, which are then counted. */
  #skipClean(clean: CleanRecords, at: number): number {
    const state = this.#state;
    const { nextSplit } = this.#counter;
    // The machine adds splits: the first data record, and the first record from `nextSplit` on.
    if (!this.#atDataRecord(state.offset) || nextSplit === undefined) return 0;
    const stretch = clean.from(at, at + nextSplit - state.offset, state.columns);
    if (!stretch) return 0;
    state.records += stretch.records;
    state.lineEnds.crlf += stretch.crlf;
    state.lineEnds.lf += stretch.records - stretch.crlf;
    state.maxRecordBytes = Math.max(state.maxRecordBytes, stretch.maxRecordBytes);
    state.quotedBreaks += stretch.quotedBreaks;
    state.offset += stretch.end - at;
    this.#counter.start(state.offset);
    return stretch.end - at;
  }

  #atDataRecord(offset: number): boolean {
    const { mode, recordStart, columns } = this.#state;
    return mode === FIELD_START && recordStart === offset && columns > 0;
  }

  /** Reads byte by byte, to the piece's end or the first record start from `leastBytes` on. @returns the bytes read. */
  #readCarefully(piece: Uint8Array, leastBytes: number): number {
    const end = this.#scan(piece, leastBytes);
    this.#counter.keepHeader(piece, end);
    this.#state.offset += end;
    return end;
  }

  /** The machine's loop. `#unquoted` and `#quoted` read runs of bytes; all other cases are rare. */
  #scan(chunk: Uint8Array, leastBytes: number): number {
    const state = this.#state;
    const end = chunk.length;
    let at = 0;
    while (at < end) {
      if (at >= leastBytes && this.#atDataRecord(state.offset + at)) return at;
      if (state.mode === FIELD_START && chunk[at] === QUOTE) {
        state.quoteStart = state.offset + at;
        state.quoteLine = this.#counter.line();
        state.mode = QUOTED;
        at += 1;
      } else if (state.mode === FIELD_START || state.mode === UNQUOTED) {
        at = this.#unquoted(chunk, at);
      } else if (state.mode === QUOTED) {
        at = this.#quoted(chunk, at);
      } else if (state.mode === QUOTE_IN_QUOTED) {
        state.mode = this.#afterQuote(chunk[at] as number, state.offset + at);
        if (state.mode === QUOTED) at += 1;
      } else if (state.mode === AFTER_BARE_QUOTE) {
        const next = chunk[at] as number;
        settleBareQuote(state, this.#endsField(next) ? undefined : next);
        state.mode = UNQUOTED;
      } else {
        at = this.#afterCr(chunk, at);
        state.mode = FIELD_START;
      }
    }
    return end;
  }

  /** Reads outside quotes, but not a quote that opens a field. @returns where to continue. */
  #unquoted(chunk: Uint8Array, start: number): number {
    const state = this.#state;
    const delimiter = this.#delimiter;
    let end = start;
    let delimiters = 0;
    for (; end < chunk.length; end += 1) {
      const byte = chunk[end] as number;
      if (byte <= QUOTE && ENDS_RUN[byte] === 1) break;
      // 1 if the bytes are equal: only 0 minus 1 is negative. A branch would be mispredicted too often.
      delimiters += ((byte ^ delimiter) - 1) >>> 31;
    }
    state.delimiters += delimiters;
    if (end > start) state.mode = chunk[end - 1] === delimiter ? FIELD_START : UNQUOTED;
    const afterDigit = end > start ? isDigit(chunk[end - 1]) : state.afterDigit;
    state.afterDigit = end === chunk.length && state.mode === UNQUOTED && afterDigit;
    if (end === chunk.length) return end;
    const byte = chunk[end];
    if (byte === LF || byte === CR) {
      this.#endRecord(chunk, end, state.delimiters);
      state.delimiters = 0;
      state.mode = FIELD_START;
      if (byte === LF) return end + 1;
      if (end + 1 < chunk.length) return this.#afterCr(chunk, end + 1);
      state.mode = AFTER_CR;
      return end + 1;
    }
    // The loop of `#scan` opens the field.
    if (byte === QUOTE && state.mode === FIELD_START) return end;
    if (byte === QUOTE) {
      meetBareQuote(state, this.#counter.position(state.offset + end), afterDigit);
      state.mode = AFTER_BARE_QUOTE;
    } else {
      this.#counter.problem('nul', state.offset + end);
      state.mode = UNQUOTED;
    }
    return end + 1;
  }

  /** Reads inside quotes: most bytes, blanks too, cost two comparisons. @returns where to continue. */
  #quoted(chunk: Uint8Array, start: number): number {
    const state = this.#state;
    const end = chunk.length;
    for (let at = start; at < end; at += 1) {
      const byte = chunk[at] as number;
      if (byte > CR && byte !== QUOTE) continue;
      if (byte === QUOTE) {
        state.afterQuotedCr = false;
        state.mode = QUOTE_IN_QUOTED;
        return at + 1;
      }
      if (byte === CR) state.quotedBreaks += 1;
      else if (byte === LF) {
        const afterCr = at > start ? chunk[at - 1] === CR : state.afterQuotedCr;
        if (!afterCr) state.quotedBreaks += 1;
      } else if (byte === 0) this.#counter.problem('nul', state.offset + at);
    }
    state.afterQuotedCr = chunk[end - 1] === CR;
    return end;
  }

  /** @returns the mode: QUOTED if the byte was the second half of an escaped quote. */
  #afterQuote(byte: number, byteOffset: number): number {
    if (byte === QUOTE) return QUOTED;
    if (!this.#endsField(byte)) this.#counter.problem('quoting', byteOffset);
    return UNQUOTED;
  }

  #endsField(byte: number): boolean {
    return byte === this.#delimiter || byte === LF || byte === CR;
  }

  /** @returns where the next record starts in the chunk. */
  #afterCr(chunk: Uint8Array, at: number): number {
    const crlf = chunk[at] === LF;
    this.#state.lineEnds[crlf ? 'crlf' : 'cr'] += 1;
    const next = crlf ? at + 1 : at;
    this.#counter.start(this.#state.offset + next);
    return next;
  }

  /** Handles a line end outside quotes at `chunk[at]`. */
  #endRecord(chunk: Uint8Array, at: number, delimiters: number): void {
    const state = this.#state;
    const end = state.offset + at;
    if (end === state.recordStart && state.columns !== 1) state.blankLines += 1;
    else {
      this.#counter.keepHeader(chunk, at);
      this.#counter.end(end, delimiters + 1);
    }
    // The line end of a CR is counted when the next byte is known.
    if (chunk[at] === LF) state.lineEnds.lf += 1;
    this.#counter.start(end + 1);
  }

  /** Ends a last record without a line end. If its quote never closed, its number of fields means nothing. */
  #endOfFile(): void {
    const state = this.#state;
    if (state.mode === AFTER_BARE_QUOTE) settleBareQuote(state, undefined);
    const unclosed = state.mode === QUOTED;
    if (unclosed) this.#counter.problem('unclosed-quote', state.quoteStart, state.quoteLine);
    // An unclosed header has the fields that were found in it.
    const isCounted = unclosed && state.columns > 0;
    this.#counter.end(state.offset, isCounted ? state.columns : state.delimiters + 1);
  }
}
