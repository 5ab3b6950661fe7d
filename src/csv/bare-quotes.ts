import type { Position } from '../model/scan.ts';
import { addPosition, addProblem, type ScannerState } from './scanner-state.ts';
import { QUOTE } from './tokenizer.ts';

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
