import {
  firstRecordOffset,
  MAX_EXAMPLES,
  type CsvScan,
  type Dialect,
  type LineEnds,
  type Position,
  type Positions,
  type ScanProblem,
} from '../model/scan.ts';
import type { BareQuote } from './bare-quotes.ts';
import { initialEncodingState, type EncodingState } from './encoding-detector.ts';

/** The mode of a new scanner: the next byte is a field's first. */
export const FIELD_START = 0;

/**
 * A longer record is a problem, not data: converters hold whole records in memory, and a quote that was never
 * closed swallows the rest of a file.
 */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** A longer header is no header but a file whose first quote never closes; it is kept in memory and in checkpoints. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** Everything that a scanner knows at a byte offset, as plain JSON: it lies in the landing's checkpoint. */
export interface ScannerState {
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
  records: number;
  blankLines: number;
  lineEnds: LineEnds;
  quotedBreaks: number;
  bareQuotes: Positions;
  maxRecordBytes: number;
  splits: number[];
  /** Data records before each of the `splits`. */
  splitRecords: number[];
  problems: CsvScan['problems'];
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
    const last = state.splits.at(-1);
    if (last === undefined || state.recordStart >= last + this.#splitSpacingBytes) {
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

export function addPosition(positions: Positions, position: Position): void {
  positions.count += 1;
  if (positions.examples.length < MAX_EXAMPLES) positions.examples.push(position);
}
