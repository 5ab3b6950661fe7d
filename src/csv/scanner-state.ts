import type { Encoding } from '../model/dataset.ts';
import {
  firstRecordOffset,
  MAX_EXAMPLES,
  type CsvScan,
  type Dialect,
  type EncodingEvidence,
  type Position,
  type Positions,
  type ScanProblem,
} from '../model/scan.ts';
import { decode } from './encoding.ts';
import { initialEncodingState, type EncodingState } from './encoding-detector.ts';
import { fieldsOfRecord } from './head-records.ts';
import { QUOTE } from './tokenizer.ts';

/** The mode of a new scanner: the next byte is the first of a field. */
export const FIELD_START = 0;

/**
 * A longer record is a problem, not data. Converters hold whole records in memory, and a quote that never closes takes
 * in the rest of a file.
 */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** A longer header is a file whose first quote never closes. The header is kept in memory and in checkpoints. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** Everything that a scanner knows at a byte offset, as plain JSON for the landing's checkpoint. */
export interface ScannerState extends Omit<
  CsvScan,
  'dialect' | 'header' | 'headerLine' | 'encoding'
> {
  /** Bytes pushed so far, byte order mark included. */
  offset: number;
  mode: number;
  /** Delimiters of the current record so far. */
  delimiters: number;
  recordStart: number;
  recordLine: number;
  /** Start of the current record's last quoted field; 0 if it has none. */
  quoteStart: number;
  quoteLine: number;
  /** Whether the byte before is a CR in quotes: an LF then belongs to the same line break. */
  afterQuotedCr: boolean;
  /** Whether the byte before is a digit in an unquoted field. */
  afterDigit: boolean;
  /** The byte before, if it is a quote in an unquoted field. */
  bareQuote: BareQuote | null;
  /** A bare quote of the current record that no other has closed yet. */
  openBareQuote: BareQuote | null;
  /** Fields of the first record; 0 until it has ended. */
  columns: number;
  /** Line on which the header starts; 0 until the header has ended. */
  headerLine: number;
  /** Bytes of the header, a character for each byte: the encoding is known only after the whole file. */
  header: string;
  encoding: EncodingState;
}

/** The state before the first byte. */
export function initialState(dialect: Dialect): ScannerState {
  return {
    offset: 0,
    mode: FIELD_START,
    delimiters: 0,
    recordStart: firstRecordOffset(dialect),
    recordLine: firstLine(dialect),
    quoteStart: 0,
    quoteLine: 0,
    afterQuotedCr: false,
    afterDigit: false,
    bareQuote: null,
    openBareQuote: null,
    columns: 0,
    headerLine: 0,
    header: '',
    records: 0,
    blankLines: 0,
    lineEnds: { crlf: 0, lf: 0, cr: 0 },
    quotedBreaks: 0,
    bareQuotes: { count: 0, examples: [] },
    maxRecordBytes: 0,
    splits: [],
    splitRecords: [],
    problems: [],
    encoding: initialEncodingState(),
  };
}

/** The scan at the file's end. @param declared see `CsvScanner.finish`. */
export function scanOf(
  dialect: Dialect,
  state: ScannerState,
  evidence: EncodingEvidence,
  declared: Encoding | undefined,
): CsvScan {
  const { headerLine, records, blankLines, lineEnds, quotedBreaks, bareQuotes } = state;
  const { maxRecordBytes, splits, splitRecords, problems } = state;
  const encoding = declared ?? (evidence.firstInvalidUtf8 === undefined ? 'utf-8' : 'windows-1252');
  return {
    ...{ dialect, header: namesOf(dialect, state, encoding) },
    ...(headerLine > 0 && { headerLine }),
    ...{ records, blankLines, lineEnds, quotedBreaks, bareQuotes, maxRecordBytes },
    encoding: dialect.bomBytes > 0 ? { ...evidence, ascii: false } : evidence,
    ...{ splits, splitRecords, problems },
  };
}

function namesOf(
  { delimiter, header: hasHeader }: Dialect,
  { columns, header }: ScannerState,
  encoding: Encoding,
): string[] {
  if (hasHeader === false) {
    return Array.from({ length: columns }, (_, index) => `column_${index + 1}`);
  }
  if (columns === 0) return [];
  return fieldsOfRecord(header, delimiter).map(({ text }) =>
    decode(Buffer.from(text, 'latin1'), encoding),
  );
}

/** Line on which the first record starts, even if it is blank. */
function firstLine({ sepLineBytes }: Dialect): number {
  return sepLineBytes === undefined ? 1 : 2;
}

/** Adds records to a state as they start and end, and gives their positions in the file. */
export class RecordCounter {
  readonly #state: ScannerState;
  readonly #hasHeader: boolean;
  readonly #firstLine: number;
  readonly #splitSpacingBytes: number;

  /** @param state written to in place. */
  constructor(dialect: Dialect, state: ScannerState, splitSpacingBytes: number) {
    this.#state = state;
    this.#hasHeader = dialect.header !== false;
    this.#firstLine = firstLine(dialect);
    this.#splitSpacingBytes = splitSpacingBytes;
  }

  /** Whether the next byte belongs to the header. */
  get isAtHeader(): boolean {
    return this.#hasHeader && this.#state.columns === 0;
  }

  /** Offset from which the next record start is a split; undefined before the first split. */
  get nextSplit(): number | undefined {
    const last = this.#state.splits.at(-1);
    return last === undefined ? undefined : last + this.#splitSpacingBytes;
  }

  /** Keeps the header's next bytes: those of the current record before `chunk[at]`. */
  keepHeader(chunk: Uint8Array, at: number): void {
    if (!this.isAtHeader) return;
    const state = this.#state;
    const piece = chunk.subarray(Math.max(state.recordStart - state.offset, 0), at);
    const room = MAX_HEADER_BYTES - state.header.length;
    state.header += Buffer.from(piece.subarray(0, room)).toString('latin1');
  }

  start(offset: number): void {
    const state = this.#state;
    state.recordStart = offset;
    state.recordLine = this.line();
    state.quoteStart = 0;
    state.quoteLine = 0;
    state.openBareQuote = null;
  }

  /** Ends a record that is not a blank line. @param end the offset behind its last byte, without the line end. */
  end(end: number, fields: number): void {
    const state = this.#state;
    const { isAtHeader } = this;
    const bytes = end - state.recordStart;
    if (isAtHeader) state.headerLine = state.recordLine;
    else state.records += 1;
    if (state.columns === 0) state.columns = fields;
    state.maxRecordBytes = Math.max(state.maxRecordBytes, bytes);
    if (bytes > (isAtHeader ? MAX_HEADER_BYTES : MAX_RECORD_BYTES)) {
      addProblem(state, 'record-too-long', this.#recordPosition());
    }
    if (isAtHeader) return;
    if (fields !== state.columns)
      addProblem(state, 'ragged', { ...this.#recordPosition(), fields });
    if (state.recordStart >= (this.nextSplit ?? 0)) {
      state.splits.push(state.recordStart);
      // The record itself is already counted, but it is not before the split.
      state.splitRecords.push(state.records - 1);
    }
  }

  /** Line of the current byte. */
  line(): number {
    const { lineEnds, quotedBreaks } = this.#state;
    return this.#firstLine + lineEnds.lf + lineEnds.crlf + lineEnds.cr + quotedBreaks;
  }

  /** Position of a byte of the current record. */
  position(byteOffset: number, line = this.line()): Position {
    return { record: this.isAtHeader ? 0 : this.#state.records + 1, line, byteOffset };
  }

  /** Adds a problem at a byte of the current record. */
  problem(kind: ScanProblem['kind'], byteOffset: number, line?: number): void {
    addProblem(this.#state, kind, this.position(byteOffset, line));
  }

  /** Position of the record that has just been counted. */
  #recordPosition(): Position {
    const { records, recordLine, recordStart } = this.#state;
    return { record: records, line: recordLine, byteOffset: recordStart };
  }
}

/** Counts every problem, but keeps only a few examples of each kind, so that the state stays small. */
function addProblem(
  { problems }: ScannerState,
  kind: ScanProblem['kind'],
  position: Position,
): void {
  let problem = problems.find((each) => each.kind === kind);
  if (!problem) {
    problem = { kind, count: 0, examples: [] };
    problems.push(problem);
  }
  addPosition(problem, position);
}

function addPosition(positions: Positions, position: Position): void {
  positions.count += 1;
  if (positions.examples.length < MAX_EXAMPLES) positions.examples.push(position);
}

/** A quote inside an unquoted field. */
interface BareQuote {
  position: Position;
  /** Delimiters before the quote in its record. */
  field: number;
  isAfterDigit: boolean;
  /** Whether it may mean inches (`5" pipe`): a digit is before it, and no letter or digit is behind it. */
  isMeasure: boolean;
}

/*
 * A bare quote may pair with a quote at the end of a later field of its record. Then the start of a quoted field was
 * lost (`$6.10"Bob, Jr"`), and its delimiters were taken for the record's: a problem. All others are text: `5" pipe`, a
 * pair within a field, one at a field's end.
 */

/** The byte behind the quote is known only later: see `settleBareQuote`. */
export function meetBareQuote(
  state: ScannerState,
  position: Position,
  isAfterDigit: boolean,
): void {
  addPosition(state.bareQuotes, position);
  const isSecondHalf = state.bareQuote !== null;
  state.bareQuote = isSecondHalf
    ? null
    : { position, field: state.delimiters, isAfterDigit, isMeasure: false };
}

/** @param next the byte behind the quote; undefined if the field ends with the quote. */
export function settleBareQuote(state: ScannerState, next: number | undefined): void {
  const { bareQuote: quote, openBareQuote: open } = state;
  // Two quotes in a row are an escaped quote, which opens and closes nothing.
  if (!quote || next === QUOTE) return;
  state.bareQuote = null;
  if (open?.field === quote.field) state.openBareQuote = null;
  else if (next !== undefined) {
    state.openBareQuote = { ...quote, isMeasure: quote.isAfterDigit && !isWord(next) };
  } else if (open && !(open.isMeasure && quote.isAfterDigit)) {
    addProblem(state, 'quoting', open.position);
    state.openBareQuote = null;
  }
}

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** Letters of other alphabets count too. */
function isWord(byte: number): boolean {
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x7a) || byte >= 0x80;
}
