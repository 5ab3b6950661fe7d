const QUOTE = '"';

/** Enough to tell how a file is written; more would cost the worker half a second for each source of short records. */
const MAX_RECORDS = 1000;

/** A field as a candidate delimiter shows it. */
export interface HeadField {
  /** Unquoted, each byte a character. */
  text: string;
  quoted: boolean;
  /** A quote inside an unquoted field, or text behind a closing one: seldom where the delimiter is the file's. */
  oddQuotes: boolean;
}

export interface HeadRecord {
  line: number;
  fields: HeadField[];
}

/**
 * The first `MAX_RECORDS` whole records of a file's head by the scanner's rules, blank lines left out. What is cut off at
 * the head's end is no record: nothing is judged by it.
 * @param text the head from the first record on, each byte a character.
 * @param complete whether that is the whole file.
 */
export function recordsOfHead(text: string, delimiter: string, complete: boolean): HeadRecord[] {
  const records: HeadRecord[] = [];
  let fields: HeadField[] = [];
  let line = 1;
  let recordLine = 1;
  let at = 0;
  while (records.length < MAX_RECORDS) {
    const { field, end, breaks } = readField(text, at, delimiter);
    if (end === undefined) {
      const isRecord = fields.length > 0 || at < text.length;
      if (complete && isRecord) records.push({ line: recordLine, fields: [...fields, field] });
      return records;
    }
    fields.push(field);
    line += breaks;
    at = end + 1;
    if (text[end] === delimiter) continue;
    // A CR at the very end may have its LF behind the head; either way it ends the record.
    if (text[end] === '\r' && text[at] === '\n') at += 1;
    const [only] = fields;
    const isBlank = fields.length === 1 && only?.text === '' && !only.quoted;
    if (!isBlank) records.push({ line: recordLine, fields });
    line += 1;
    recordLine = line;
    fields = [];
  }
  return records;
}

/** The fields of one record, whose line end is left out; a quote that never closes takes in all that comes. */
export function fieldsOfRecord(text: string, delimiter: string): HeadField[] {
  const fields: HeadField[] = [];
  for (let at: number | undefined = 0; at !== undefined;) {
    const { field, end } = readField(text, at, delimiter);
    fields.push(field);
    at = end === undefined ? undefined : end + 1;
  }
  return fields;
}

/** @returns `end`: the index of the delimiter or line end behind the field; undefined where the head ends first. */
function readField(
  text: string,
  start: number,
  delimiter: string,
): { field: HeadField; end: number | undefined; breaks: number } {
  let at = start;
  let value = '';
  const quoted = text[at] === QUOTE;
  if (quoted) {
    const close = closingQuote(text, at + 1);
    if (close === undefined) {
      return {
        field: { text: text.slice(at + 1), quoted, oddQuotes: true },
        end: undefined,
        breaks: 0,
      };
    }
    value = text.slice(at + 1, close).replaceAll('""', QUOTE);
    at = close + 1;
  }
  const breaks = quoted ? (value.match(/\r\n|\r|\n/g)?.length ?? 0) : 0;
  const end = endOfUnquoted(text, at, delimiter);
  const rest = text.slice(at, end);
  const oddQuotes = quoted ? rest !== '' : rest.includes(QUOTE);
  return { field: { text: value + rest, quoted, oddQuotes }, end, breaks };
}

function closingQuote(text: string, from: number): number | undefined {
  for (let at = text.indexOf(QUOTE, from); at !== -1; at = text.indexOf(QUOTE, at + 2)) {
    if (text[at + 1] !== QUOTE) return at;
  }
  return undefined;
}

function endOfUnquoted(text: string, from: number, delimiter: string): number | undefined {
  for (let at = from; at < text.length; at += 1) {
    const char = text[at];
    if (char === delimiter || char === '\n' || char === '\r') return at;
  }
  return undefined;
}

/** What a text looks like: roughly, for telling a table's header and delimiter, not for its types. */
export type CellKind = 'blank' | 'integer' | 'number' | 'moment' | 'text';

const INTEGER = /^[-+]?\d+$/;
/** Thousands, decimal commas, money and percents included. */
const NUMBER = /^[-+(]?[$£]?(?:\d{1,3}(?:[,. ]\d{3})+|\d+)?(?:[.,]?\d+)(?:[eE][-+]?\d+)?%?\)?$/;
const DAY = String.raw`(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2}))`;
const TIME = String.raw`\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AP]M)?(?: ?(?:Z|UTC|[-+]\d{2}:?\d{2}))?`;
const MOMENT = new RegExp(`^(?:${DAY}(?:[ T]${TIME})?|${TIME})$`, 'i');

export function kindOf(text: string): CellKind {
  const trimmed = text.trim();
  if (trimmed === '') return 'blank';
  // Nearly all texts are settled by their first letters.
  if (!/^[-+($£]?[.,\d]/.test(trimmed)) return 'text';
  if (INTEGER.test(trimmed)) return 'integer';
  if (NUMBER.test(trimmed)) return 'number';
  return MOMENT.test(trimmed) ? 'moment' : 'text';
}

/** A number, day or time. */
export function isTyped(text: string): boolean {
  const kind = kindOf(text);
  return kind === 'integer' || kind === 'number' || kind === 'moment';
}
