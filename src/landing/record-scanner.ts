import type { Encoding } from '../model/dataset.ts';
import type { CsvScan, Dialect } from '../model/scan.ts';
import { EncodingDetector } from './encoding-detector.ts';
import { HeaderCapture } from './header.ts';
import { ProblemLog } from './problem-log.ts';
import { FIELD_START, initialState, type ScannerState } from './scanner-state.ts';

/**
 * How far apart the record starts in `splits` are at least: small enough to share a file out over cores,
 * large enough that even a terabyte's list is a few hundred kilobytes of JSON.
 */
export const SPLIT_SPACING_BYTES = 16 * 1024 * 1024;

/**
 * A longer record is a problem, not data: converters hold whole records in memory, and a quote that was never
 * closed swallows the rest of a file.
 */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

// Where the machine is between two bytes, besides FIELD_START.
const UNQUOTED = 1;
const QUOTED = 2;
/** After a quote inside a quoted field: it closes the field, or is the first half of an escaped one. */
const QUOTE_IN_QUOTED = 3;
/** After a CR that ended a record: an LF belongs to it. */
const AFTER_CR = 4;

// What a byte is. Anything but ORDINARY leaves the inner loops.
const ORDINARY = 0;
const DELIMITER = 1;
const QUOTE = 2;
const CR = 3;
const LF = 4;
const NUL = 5;

const QUOTE_BYTE = 0x22;
const CR_BYTE = 0x0d;
const LF_BYTE = 0x0a;

/**
 * RFC 4180 over bytes, in pieces of any size: the same pieces in another cut give the same scan. A quote opens
 * a field only as its first byte; CRLF, LF and CR each end a record. It never throws on content: what a
 * converter could not read without guessing is in `problems`.
 */
export class CsvScanner {
  readonly #dialect: Dialect;
  readonly #unquotedKinds: Uint8Array;
  readonly #quotedKinds: Uint8Array;
  readonly #state: ScannerState;
  readonly #encoding: EncodingDetector;
  readonly #header: HeaderCapture;
  readonly #problems: ProblemLog;

  /** @param state of an earlier scanner with the same dialect, which this one goes on from. */
  constructor(dialect: Dialect, state: ScannerState = initialState(dialect)) {
    this.#dialect = dialect;
    this.#unquotedKinds = kindTable(dialect.delimiter);
    this.#quotedKinds = kindTable(undefined);
    this.#state = structuredClone(state);
    this.#encoding = new EncodingDetector(this.#state.encoding);
    this.#header = new HeaderCapture(Buffer.from(state.header, 'base64'));
    this.#problems = new ProblemLog(this.#state.problems);
  }

  /** Data records that have ended so far. */
  get records(): number {
    return this.#state.records;
  }

  push(chunk: Uint8Array): void {
    const state = this.#state;
    const bomLeft = Math.min(Math.max(this.#dialect.bomBytes - state.offset, 0), chunk.length);
    this.#encoding.push(chunk.subarray(bomLeft), state.offset + bomLeft);
    this.#scan(chunk, bomLeft);
    if (state.columns === 0) this.#header.append(this.#ofRecord(chunk, chunk.length));
    state.offset += chunk.length;
  }

  state(): ScannerState {
    return structuredClone({ ...this.#state, header: this.#header.bytes().toString('base64') });
  }

  /**
   * Ends the file. The scanner is used up.
   * @param declared the encoding of the header's names; by default UTF-8 where the whole file is, else Windows-1252.
   */
  finish(declared?: Encoding): CsvScan {
    const state = this.#state;
    if (state.mode === AFTER_CR) state.lineEnds.cr += 1;
    else if (state.offset > state.recordStart) this.#endOfFile();
    const evidence = this.#encoding.finish(state.offset);
    const encoding =
      declared ?? (evidence.firstInvalidUtf8 === undefined ? 'utf-8' : 'windows-1252');
    return {
      dialect: this.#dialect,
      header: state.columns === 0 ? [] : this.#header.fields(this.#dialect.delimiter, encoding),
      records: state.records,
      blankLines: state.blankLines,
      lineEnds: state.lineEnds,
      quotedBreaks: state.quotedBreaks,
      bareQuotes: state.bareQuotes,
      maxRecordBytes: state.maxRecordBytes,
      encoding: this.#dialect.bomBytes > 0 ? { ...evidence, ascii: false } : evidence,
      splits: state.splits,
      problems: this.#problems.list(),
    };
  }

  /**
   * The hot loop: one tight inner loop for unquoted and one for quoted bytes, everything else is rare. Letters and
   * digits lie above every byte that matters (but for a bar as delimiter), so that most bytes cost one comparison.
   */
  #scan(chunk: Uint8Array, start: number): void {
    const state = this.#state;
    const { offset } = state;
    const unquotedKinds = this.#unquotedKinds;
    const quotedKinds = this.#quotedKinds;
    const end = chunk.length;
    let { mode, delimiters, quoteStart } = state;
    const delimiter = this.#dialect.delimiter.charCodeAt(0);
    const highest = Math.max(delimiter, QUOTE_BYTE);
    let at = start;
    while (at < end) {
      if (mode === FIELD_START) {
        mode = chunk[at] === QUOTE_BYTE ? QUOTED : UNQUOTED;
        if (mode === QUOTED) {
          quoteStart = offset + at;
          at += 1;
        }
      } else if (mode === UNQUOTED) {
        let kind = ORDINARY;
        for (; at < end; at += 1) {
          const byte = chunk[at] as number;
          if (byte > highest) continue;
          kind = unquotedKinds[byte] as number;
          if (kind === ORDINARY) continue;
          if (kind !== DELIMITER) break;
          delimiters += 1;
          if (at + 1 === end || chunk[at + 1] === QUOTE_BYTE) break;
        }
        if (at === end) break;
        if (kind === DELIMITER) mode = FIELD_START;
        else if (kind === CR || kind === LF) {
          this.#endRecord(chunk, at, delimiters);
          delimiters = 0;
          mode = kind === CR ? AFTER_CR : FIELD_START;
        } else if (kind === QUOTE) state.bareQuotes = true;
        else this.#problem('nul', offset + at);
        at += 1;
      } else if (mode === QUOTED) {
        let kind = ORDINARY;
        for (; at < end; at += 1) {
          const byte = chunk[at] as number;
          if (byte > QUOTE_BYTE) continue;
          kind = quotedKinds[byte] as number;
          if (kind !== ORDINARY) break;
        }
        if (at === end) break;
        if (kind === QUOTE) {
          mode = QUOTE_IN_QUOTED;
          // Files with every field quoted: straight from one field into the next.
          if (at + 2 < end && chunk[at + 2] === QUOTE_BYTE && chunk[at + 1] === delimiter) {
            delimiters += 1;
            mode = QUOTED;
            at += 2;
            quoteStart = offset + at;
          }
        } else if (kind === NUL) this.#problem('nul', offset + at);
        else state.quotedBreaks = true;
        at += 1;
      } else if (mode === QUOTE_IN_QUOTED) {
        mode = this.#afterQuote(unquotedKinds[chunk[at] as number] as number, offset + at);
        if (mode === QUOTED) at += 1;
      } else {
        at = this.#afterCr(chunk, at);
        mode = FIELD_START;
      }
    }
    state.mode = mode;
    state.delimiters = delimiters;
    state.quoteStart = quoteStart;
  }

  /** @returns the mode: QUOTED where the byte was the second half of an escaped quote. */
  #afterQuote(kind: number, byteOffset: number): number {
    if (kind === QUOTE) return QUOTED;
    if (kind === ORDINARY || kind === NUL) this.#problem('quoting', byteOffset);
    return UNQUOTED;
  }

  /** @returns where the next record starts in the chunk. */
  #afterCr(chunk: Uint8Array, at: number): number {
    const crlf = chunk[at] === LF_BYTE;
    this.#state.lineEnds[crlf ? 'crlf' : 'cr'] += 1;
    const next = crlf ? at + 1 : at;
    this.#state.recordStart = this.#state.offset + next;
    return next;
  }

  /** A line end outside quotes at `chunk[at]`. */
  #endRecord(chunk: Uint8Array, at: number, delimiters: number): void {
    const state = this.#state;
    const end = state.offset + at;
    if (chunk[at] === LF_BYTE) state.lineEnds.lf += 1;
    if (end === state.recordStart && state.columns !== 1) state.blankLines += 1;
    else if (state.columns === 0) {
      this.#header.append(this.#ofRecord(chunk, at));
      this.#endHeader(end, delimiters + 1);
    } else this.#endDataRecord(end, delimiters + 1);
    state.recordStart = end + 1;
  }

  /** The chunk's bytes before `at` that belong to the record under way. */
  #ofRecord(chunk: Uint8Array, at: number): Uint8Array {
    return chunk.subarray(Math.max(this.#state.recordStart - this.#state.offset, 0), at);
  }

  #endHeader(end: number, fields: number): void {
    const state = this.#state;
    this.#measure(end);
    state.columns = fields;
    if (this.#header.tooLong) this.#problems.add('record-too-long', 0, state.recordStart);
  }

  #endDataRecord(end: number, fields: number): void {
    const state = this.#state;
    state.records += 1;
    this.#measure(end);
    if (fields !== state.columns)
      this.#problems.add('ragged', state.records, state.recordStart, fields);
    const last = state.splits.at(-1);
    if (last === undefined || state.recordStart >= last + SPLIT_SPACING_BYTES) {
      state.splits.push(state.recordStart);
    }
  }

  #measure(end: number): void {
    const state = this.#state;
    const bytes = end - state.recordStart;
    if (bytes > state.maxRecordBytes) state.maxRecordBytes = bytes;
    if (bytes > MAX_RECORD_BYTES) {
      this.#problems.add('record-too-long', state.records, state.recordStart);
    }
  }

  /** The last record has no line end. Where its quote never closed, its fields mean nothing: not ragged too. */
  #endOfFile(): void {
    const state = this.#state;
    const unclosed = state.mode === QUOTED;
    if (unclosed) this.#problem('unclosed-quote', state.quoteStart);
    const fields = state.delimiters + 1;
    if (state.columns === 0) this.#endHeader(state.offset, fields);
    else this.#endDataRecord(state.offset, unclosed ? state.columns : fields);
  }

  /** At a byte of the record that is under way. */
  #problem(kind: 'nul' | 'quoting' | 'unclosed-quote', byteOffset: number): void {
    const record = this.#state.columns === 0 ? 0 : this.#state.records + 1;
    this.#problems.add(kind, record, byteOffset);
  }
}

function kindTable(delimiter: string | undefined): Uint8Array {
  const kinds = new Uint8Array(256);
  kinds[0] = NUL;
  kinds[QUOTE_BYTE] = QUOTE;
  kinds[CR_BYTE] = CR;
  kinds[LF_BYTE] = LF;
  if (delimiter !== undefined) kinds[delimiter.charCodeAt(0)] = DELIMITER;
  return kinds;
}
