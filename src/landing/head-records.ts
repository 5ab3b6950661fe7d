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
        field: { text: text.slice(at), quoted, oddQuotes: true },
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
