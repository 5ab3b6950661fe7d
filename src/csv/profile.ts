import type { Encoding } from '../model/dataset.ts';
import { firstRecordOffset, type Dialect } from '../model/scan.ts';
import { decode } from './encoding.ts';
import { ALL_SHAPES, INTEGER, shapesOf } from './shapes.ts';
import { QUOTE, Tokenizer, type Block } from './tokenizer.ts';

/** The shapes of each column's values, as some of the records show them; ALL_SHAPES if a column has none. */
export type Profile = Int32Array;

export function emptyProfile(columns: number): Profile {
  return new Int32Array(columns).fill(ALL_SHAPES);
}

/**
 * Narrows a profile by the whole records of a block. A record that continues behind the limit is left for the next
 * block. Narrowing by the same values twice changes nothing.
 * @returns the start of the record that was left.
 */
export function profileRecords(
  profile: Profile,
  bytes: Uint8Array,
  block: Block,
  delimiter: number,
): number {
  const tokenizer = new Tokenizer(delimiter);
  const { ends } = tokenizer;
  return tokenizer.readAll(bytes, block, (record) => {
    let from = record;
    // A field behind the header's columns has no shapes. Ragged files never get here.
    for (let column = 0; column < tokenizer.fields; column += 1) {
      const to = ends[column] as number;
      const wanted = profile[column];
      if (wanted) profile[column] = narrowed(wanted, bytes, from, to);
      from = to + 1;
    }
  });
}

/** Does not unescape the value: if it has a quote inside its quotes, it is not a number and not a date. */
function narrowed(wanted: number, bytes: Uint8Array, start: number, end: number): number {
  const margin = bytes[start] === QUOTE ? 1 : 0;
  if (start + margin >= end - margin) return wanted;
  return shapesOf(bytes, start + margin, end - margin, wanted);
}

/** A value that is shown: see `valueText`. */
export interface SeenValue {
  /** Number of the data record; the first is 1. */
  record: number;
  /** First bytes of the value, a character for each byte. */
  text: string;
}

/** The values of a column that have exactly the same shapes. */
export interface ShapeGroup {
  /** Shapes as `shapesOf` returns them. */
  shapes: number;
  values: number;
  first: SeenValue;
}

/** What the values of one column show about its type, with the values that decide it. */
export interface ColumnEvidence {
  /** Number of values that are not empty. */
  values: number;
  groups: Map<number, ShapeGroup>;
  /** Digits of the longest integer. */
  maxDigits: number;
  /** The first few different values, in the form of `SeenValue.text`. */
  examples: string[];
}

/** Enough examples to see what a column has. */
const MAX_EXAMPLE_VALUES = 3;
/** Characters of a value that are shown. */
const MAX_VALUE_CHARACTERS = 40;
/** Bytes of so many characters and one more, in any encoding. */
const MAX_VALUE_BYTES = 4 * (MAX_VALUE_CHARACTERS + 1);

const MINUS = 0x2d;

/**
 * Collects the evidence of all columns, record by record. It keeps what the faster `Profile` throws away. Both judge a
 * value by `shapesOf`, so both lead to the same types.
 */
export class EvidenceCollector {
  readonly columns: ColumnEvidence[] = [];
  /** Data records so far. */
  records = 0;
  readonly #tokenizer: Tokenizer;
  readonly #firstRecord: number;
  #isAtHeader: boolean;
  /** Bytes of the file before the next block. */
  #offset = 0;

  constructor(dialect: Dialect) {
    this.#tokenizer = new Tokenizer(dialect.delimiter.charCodeAt(0));
    this.#isAtHeader = dialect.header !== false;
    this.#firstRecord = firstRecordOffset(dialect);
  }

  /**
   * Takes the whole records of the file's next bytes.
   * @param bytes the bytes that the last call left, and more, with one spare byte behind the limit.
   * @returns the number of bytes that were taken; the record behind them is not whole.
   */
  push(bytes: Uint8Array, limit: number, end: boolean): number {
    const start = Math.max(0, this.#firstRecord - this.#offset);
    if (start >= limit) return 0;
    const block: Block = { start, limit, end };
    const taken = this.#tokenizer.readAll(bytes, block, (record) => this.#take(bytes, record));
    this.#offset += taken;
    return taken;
  }

  #take(bytes: Uint8Array, start: number): void {
    const { fields, ends } = this.#tokenizer;
    const { columns } = this;
    // In a file of one column a blank line is an empty field, but not before the first record.
    if (columns.length !== 1 && this.#tokenizer.isBlank(start)) return;
    if (columns.length === 0) {
      for (let column = 0; column < fields; column += 1) columns.push(noEvidence());
      if (this.#isAtHeader) {
        this.#isAtHeader = false;
        return;
      }
    }
    this.records += 1;
    let from = start;
    for (let column = 0; column < fields; column += 1) {
      const to = ends[column] as number;
      const evidence = columns[column];
      if (evidence) addValue(evidence, bytes, from, to, this.records);
      from = to + 1;
    }
  }
}

export function noEvidence(): ColumnEvidence {
  return { values: 0, groups: new Map(), maxDigits: 0, examples: [] };
}

function addValue(
  evidence: ColumnEvidence,
  bytes: Uint8Array,
  fieldStart: number,
  fieldEnd: number,
  record: number,
): void {
  const margin = bytes[fieldStart] === QUOTE ? 1 : 0;
  const start = fieldStart + margin;
  const end = fieldEnd - margin;
  if (start >= end) return;
  evidence.values += 1;
  const shapes = shapesOf(bytes, start, end, ALL_SHAPES);
  if ((shapes & INTEGER) !== 0) {
    const digits = end - start - (bytes[start] === MINUS ? 1 : 0);
    evidence.maxDigits = Math.max(evidence.maxDigits, digits);
  }
  const group = evidence.groups.get(shapes);
  if (group) group.values += 1;
  else {
    const text = keptValue(bytes, start, end);
    evidence.groups.set(shapes, { shapes, values: 1, first: { record, text } });
  }
  if (evidence.examples.length < MAX_EXAMPLE_VALUES) {
    const text = keptValue(bytes, start, end);
    if (!evidence.examples.includes(text)) evidence.examples.push(text);
  }
}

function keptValue(bytes: Uint8Array, start: number, end: number): string {
  const cut = bytes.subarray(start, Math.min(end, start + MAX_VALUE_BYTES));
  return Buffer.from(cut).toString('latin1').replaceAll('""', '"');
}

/** A kept value in the file's encoding. A long value is cut, with an ellipsis. */
export function valueText(kept: string, encoding: Encoding): string {
  const characters = Array.from(decode(Buffer.from(kept, 'latin1'), encoding));
  if (characters.length <= MAX_VALUE_CHARACTERS) return characters.join('');
  return `${characters.slice(0, MAX_VALUE_CHARACTERS).join('')}…`;
}

/** The shapes that every value has, as in a `Profile`. */
export function shapesOfAll({ groups }: ColumnEvidence): number {
  return [...groups.keys()].reduce((all, shapes) => all & shapes, ALL_SHAPES);
}
