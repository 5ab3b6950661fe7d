import {
  firstRecordOffset,
  MAX_EXAMPLES,
  type CsvScan,
  type Dialect,
  type LineEnds,
  type Place,
  type Places,
  type ScanProblem,
} from '../model/scan.ts';
import type { BareQuote } from './bare-quotes.ts';
import { initialEncodingState, type EncodingState } from './encoding-detector.ts';

/** The mode of a new scanner: the next byte is a field's first. */
export const FIELD_START = 0;

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
  /** Of the header; 0 until it has ended. */
  columns: number;
  /** Where it starts; 0 as long as it has not ended. */
  headerLine: number;
  /** The header's raw bytes, base64. */
  header: string;
  records: number;
  blankLines: number;
  lineEnds: LineEnds;
  quotedBreaks: number;
  bareQuotes: Places;
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
export function firstLine({ sepLineBytes }: Dialect): number {
  return sepLineBytes === undefined ? 1 : 2;
}

/** Every problem is counted; a file of nothing else stays small, by a few examples of each kind. */
export function addProblem(
  { problems }: ScannerState,
  kind: ScanProblem['kind'],
  place: Place,
): void {
  let problem = problems.find((each) => each.kind === kind);
  if (!problem) {
    problem = { kind, count: 0, examples: [] };
    problems.push(problem);
  }
  addPlace(problem, place);
}

export function addPlace(places: Places, place: Place): void {
  places.count += 1;
  if (places.examples.length < MAX_EXAMPLES) places.examples.push(place);
}
