import type { CsvScan, Dialect, LineEnds } from '../model/scan.ts';
import type { EncodingState } from './encoding-detector.ts';

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
  /** Where the last quoted field opened. */
  quoteStart: number;
  /** Of the header; 0 until it has ended. */
  columns: number;
  /** The header's raw bytes, base64. */
  header: string;
  records: number;
  blankLines: number;
  lineEnds: LineEnds;
  quotedBreaks: boolean;
  bareQuotes: boolean;
  maxRecordBytes: number;
  splits: number[];
  /** Absent in states of before it was counted: it cannot be known then. */
  splitRecords?: number[];
  problems: CsvScan['problems'];
  encoding: EncodingState;
}

/** Before the first byte. */
export function initialState(dialect: Dialect): ScannerState {
  return {
    offset: 0,
    mode: FIELD_START,
    delimiters: 0,
    recordStart: dialect.bomBytes,
    quoteStart: 0,
    columns: 0,
    header: '',
    records: 0,
    blankLines: 0,
    lineEnds: { crlf: 0, lf: 0, cr: 0 },
    quotedBreaks: false,
    bareQuotes: false,
    maxRecordBytes: 0,
    splits: [],
    splitRecords: [],
    problems: [],
    encoding: { ascii: true, missing: 0, lowest: 0x80, highest: 0xbf, sequenceStart: 0 },
  };
}
