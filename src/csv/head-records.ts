import { INCOMPLETE, Tokenizer } from './tokenizer.ts';

const QUOTE = '"';

/** Enough records to find a file's dialect. More would cost half a second for each source of short records. */
const MAX_RECORDS = 1000;

/** A field as a candidate delimiter splits it. */
export interface HeadField {
  /** Text without its quotes, a character for each byte. */
  text: string;
  quoted: boolean;
  /** An unquoted field has a quote, or a quoted one does not close at its end: rare if the delimiter is the file's. */
  oddQuotes: boolean;
}

/** Bytes from a file's first record on, a character for each byte. */
export interface Head {
  text: string;
  /** Whether the text is the whole file. */
  complete: boolean;
}

export interface HeadRecord {
  /** Start of the record in the head's text. */
  start: number;
  fields: HeadField[];
}

/**
 * The first `MAX_RECORDS` whole records of a file's head, without blank lines. A record that is cut off at the head's
 * end is left out, so that it decides nothing.
 */
export function recordsOfHead({ text, complete }: Head, delimiter: string): HeadRecord[] {
  const records: HeadRecord[] = [];
  const tokenizer = new Tokenizer(delimiter.charCodeAt(0));
  const bytes = Buffer.from(`${text}\n`, 'latin1');
  let start = 0;
  while (start < text.length && records.length < MAX_RECORDS) {
    const next = tokenizer.read(bytes, start, { start, limit: text.length, end: complete });
    if (next === INCOMPLETE) break;
    if (!tokenizer.isBlank(start))
      records.push({ start, fields: fieldsOf(text, start, tokenizer) });
    start = next;
  }
  return records;
}

/** The fields of one record without its line end. A quote that never closes takes in all that follows. */
export function fieldsOfRecord(text: string, delimiter: string): HeadField[] {
  const tokenizer = new Tokenizer(delimiter.charCodeAt(0));
  const block = { start: 0, limit: text.length, end: true };
  tokenizer.read(Buffer.from(`${text}\n`, 'latin1'), 0, block);
  return fieldsOf(text, 0, tokenizer);
}

function fieldsOf(text: string, start: number, { ends, fields }: Tokenizer): HeadField[] {
  return ends.slice(0, fields).map((end, index) => {
    const raw = text.slice(index === 0 ? start : (ends[index - 1] as number) + 1, end);
    if (!raw.startsWith(QUOTE)) return { text: raw, quoted: false, oddQuotes: raw.includes(QUOTE) };
    const isClosed = raw.length > 1 && raw.endsWith(QUOTE);
    const isOdd = !isClosed || raw.slice(1, -1).replaceAll('""', '').includes(QUOTE);
    const inner = raw.slice(1, isClosed ? -1 : undefined);
    return { text: inner.replaceAll('""', QUOTE), quoted: true, oddQuotes: isOdd };
  });
}

/** The rough kind of a text. It serves to find a table's header and delimiter, not its types. */
export type CellKind = 'blank' | 'integer' | 'number' | 'moment' | 'text';

const INTEGER = /^[-+]?\d+$/;
/** Also numbers with thousands separators or decimal commas, money and percents. */
const NUMBER = /^[-+(]?[$£]?(?:\d{1,3}(?:[,. ]\d{3})+|\d+)?(?:[.,]?\d+)(?:[eE][-+]?\d+)?%?\)?$/;
const DAY = String.raw`(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2}))`;
const TIME = String.raw`\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AP]M)?(?: ?(?:Z|UTC|[-+]\d{2}:?\d{2}))?`;
const MOMENT = new RegExp(`^(?:${DAY}(?:[ T]${TIME})?|${TIME})$`, 'i');

export function kindOf(text: string): CellKind {
  const trimmed = text.trim();
  if (trimmed === '') return 'blank';
  // The first characters decide for nearly all texts.
  if (!/^[-+($£]?[.,\d]/.test(trimmed)) return 'text';
  if (INTEGER.test(trimmed)) return 'integer';
  if (NUMBER.test(trimmed)) return 'number';
  return MOMENT.test(trimmed) ? 'moment' : 'text';
}

/** Whether the text is a number, a day or a time. */
export function isTyped(text: string): boolean {
  const kind = kindOf(text);
  return kind === 'integer' || kind === 'number' || kind === 'moment';
}
