import type { Dialect, Place } from '../model/scan.ts';
import type { HeaderCapture } from './header.ts';
import { addProblem, firstLine, type ScannerState } from './scanner-state.ts';

/**
 * A longer record is a problem, not data: converters hold whole records in memory, and a quote that was never
 * closed swallows the rest of a file.
 */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** What records add to a scan as they start and end, and where in the file they are. */
export class RecordTally {
  readonly #state: ScannerState;
  readonly #header: HeaderCapture;
  readonly #hasHeader: boolean;
  readonly #firstLine: number;
  readonly #splitSpacingBytes: number;

  /** @param state written to in place. */
  constructor(
    dialect: Dialect,
    state: ScannerState,
    header: HeaderCapture,
    splitSpacingBytes: number,
  ) {
    this.#state = state;
    this.#header = header;
    this.#hasHeader = dialect.header !== false;
    this.#firstLine = firstLine(dialect);
    this.#splitSpacingBytes = splitSpacingBytes;
  }

  /** The header is what is read, or comes. */
  get isAtHeader(): boolean {
    return this.#hasHeader && this.#state.columns === 0;
  }

  start(offset: number): void {
    const state = this.#state;
    state.recordStart = offset;
    state.recordLine = this.line();
    state.quoteStart = 0;
    state.quoteLine = 0;
    state.openBareQuote = null;
  }

  /** One that is no blank line. @param end the offset behind its last byte, the line end not counted. */
  end(end: number, fields: number): void {
    const state = this.#state;
    if (this.isAtHeader) {
      this.#measure(end);
      state.columns = fields;
      state.headerLine = state.recordLine;
      if (this.#header.tooLong) addProblem(state, 'record-too-long', this.#recordPlace());
      return;
    }
    if (state.columns === 0) state.columns = fields;
    state.records += 1;
    this.#measure(end);
    if (fields !== state.columns) addProblem(state, 'ragged', { ...this.#recordPlace(), fields });
    const last = state.splits.at(-1);
    if (last === undefined || state.recordStart >= last + this.#splitSpacingBytes) {
      state.splits.push(state.recordStart);
      // Without this record itself, which has been counted.
      state.splitRecords.push(state.records - 1);
    }
  }

  /** Of the byte that is read. */
  line(): number {
    const { lineEnds, quotedBreaks } = this.#state;
    return this.#firstLine + lineEnds.lf + lineEnds.crlf + lineEnds.cr + quotedBreaks;
  }

  /** Of a byte of the record that is under way. */
  place(byteOffset: number, line = this.line()): Place {
    return { record: this.isAtHeader ? 0 : this.#state.records + 1, line, byteOffset };
  }

  #measure(end: number): void {
    const state = this.#state;
    const bytes = end - state.recordStart;
    if (bytes > state.maxRecordBytes) state.maxRecordBytes = bytes;
    if (bytes > MAX_RECORD_BYTES) addProblem(state, 'record-too-long', this.#recordPlace());
  }

  /** Of the record that has just been counted. */
  #recordPlace(): Place {
    const { records, recordLine, recordStart } = this.#state;
    return { record: records, line: recordLine, byteOffset: recordStart };
  }
}
