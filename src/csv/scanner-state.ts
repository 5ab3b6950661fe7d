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

/** The mode of a new scanner: the next byte is a field's first. */
export const FIELD_START = 0;

/**
 * A longer record is a problem, not data: converters hold whole records in memory, and a quote that was never
 * closed swallows the rest of a file.
 */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** A longer header is no header but a file whose first quote never closes; it is kept in memory and in checkpoints. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** What is counted from record to record, and is of the scan as it is. */
type Counts = Pick<
  CsvScan,
  | 'records'
  | 'blankLines'
  | 'lineEnds'
  | 'quotedBreaks'
  | 'bareQuotes'
  | 'maxRecordBytes'
  | 'splits'
  | 'splitRecords'
  | 'problems'
>;

/** Everything that a scanner knows at a byte offset, as plain JSON: it lies in the landing's checkpoint. */
export interface ScannerState extends Counts {
  /** Bytes pushed so far, byte order mark included. */
  offset: number;
  mode: number;
  /** Delimiters seen in the record that is under way. */
  delimiters: number;
  recordStart: number;
  recordLine: number;
  /** Where the last quoted field of the record under way opened; 0 where none has. */
  quoteStart: number;
  quoteLine: number;
  /** In quotes, and the byte before is a CR: an LF is of the same line break. */
  afterQuotedCr: boolean;
  /** In an unquoted field, and the byte before is a digit. */
  afterDigit: boolean;
  /** In an unquoted field, and the byte before is this quote. */
  bareQuote: BareQuote | null;
  /** One of the record that no other has closed yet. */
  openBareQuote: BareQuote | null;
  /** Fields of the header; 0 until it has ended. */
  columns: number;
  /** Where it starts; 0 as long as it has not ended. */
  headerLine: number;
  /** The header's bytes, each a character: its encoding is known only when the whole file has passed. */
  header: string;
  encoding: EncodingState;
}

/** Before the first byte. */
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

/** What is known at the file's end. @param declared see `CsvScanner.finish`. */
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

/** Where the first record, be it blank, starts. */
function firstLine({ sepLineBytes }: Dialect): number {
  return sepLineBytes === undefined ? 1 : 2;
}

/** What records add to a state as they start and end, and where in the file they are. */
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

  /** The header is what is read, or comes. */
  get isAtHeader(): boolean {
    return this.#hasHeader && this.#state.columns === 0;
  }

  /** Where the next record starts that is a split, or later; undefined before the first. */
  get nextSplit(): number | undefined {
    const last = this.#state.splits.at(-1);
    return last === undefined ? undefined : last + this.#splitSpacingBytes;
  }

  /** Keeps the header's next bytes: those of the record under way that lie before `chunk[at]`. */
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

  /** Ends a record that is no blank line. @param end the offset behind its last byte, the line end not counted. */
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
      // Without this record itself, which has been counted.
      state.splitRecords.push(state.records - 1);
    }
  }

  /** The line of the byte that is read. */
  line(): number {
    const { lineEnds, quotedBreaks } = this.#state;
    return this.#firstLine + lineEnds.lf + lineEnds.crlf + lineEnds.cr + quotedBreaks;
  }

  /** The position of a byte of the record that is under way. */
  position(byteOffset: number, line = this.line()): Position {
    return { record: this.isAtHeader ? 0 : this.#state.records + 1, line, byteOffset };
  }

  /** The position of the record that has just been counted. */
  #recordPosition(): Position {
    const { records, recordLine, recordStart } = this.#state;
    return { record: records, line: recordLine, byteOffset: recordStart };
  }
}

/** Every problem is counted; a file of nothing else stays small, by a few examples of each kind. */
export function addProblem(
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
export interface BareQuote {
  position: Position;
  /** Delimiters before it in its record. */
  field: number;
  isAfterDigit: boolean;
  /** It may mean inches (`5" pipe`): a digit is before it, and no letter or digit behind it. */
  isMeasure: boolean;
}

/*
 * A bare quote that pairs with a quote at the end of a later field of its record shows a quoted field whose start was
 * lost (`$6.10"Bob, Jr"`), and whose delimiters were taken for the record's: a problem. All others are text: `5" pipe`, a
 * pair within a field, one at a field's end.
 */

/** The byte behind it is known only later: see `settleBareQuote`. */
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

/** @param next the byte behind the quote that was met; undefined where the field ends with the quote. */
export function settleBareQuote(state: ScannerState, next: number | undefined): void {
  const { bareQuote: quote, openBareQuote: open } = state;
  // Two in a row are an escaped one, which opens and closes nothing.
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

/** Letters of other alphabets included. */
function isWord(byte: number): boolean {
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x7a) || byte >= 0x80;
}
