import type { Encoding, SourceOverrides } from './dataset.ts';

/**
 * What the landing saw of a CSV file as its bytes passed: the count of its records by an exact RFC 4180 state
 * machine, and everything that a converter must know or that makes the file unreadable without guessing.
 * It is plain JSON: it lies in the landing's manifest.
 */
export interface CsvScan {
  dialect: Dialect;
  /** Raw header fields, decoded as `encoding` says; control characters and all. `column_1`, … where the file has none. */
  header: string[];
  /** Where the header starts; absent where there is none. */
  headerLine?: number;
  /** Data records: header and blank lines not counted. */
  records: number;
  /** Declared, not records; in a one-column file a blank line is an empty field and counts as a record. */
  blankLines: number;
  lineEnds: LineEnds;
  /** Line breaks inside quoted fields. */
  quotedBreaks: number;
  /** Quote characters inside unquoted fields (`5" pipe`): taken literally. */
  bareQuotes: Positions;
  maxRecordBytes: number;
  encoding: EncodingEvidence;
  /** Byte offsets where a record starts, about every `SPLIT_SPACING_BYTES`, ascending; the first is the first data record. */
  splits: number[];
  /** Data records before each of the `splits`. */
  splitRecords: number[];
  problems: ScanProblem[];
}

export interface Dialect {
  delimiter: string;
  /** Absent where datasets.yaml declares it. `sep=` is the line of that form that Excel reads and writes. */
  delimiterFrom?: 'sep=' | 'head';
  quote: '"';
  /** Bytes of a UTF-8 byte order mark at the start: 0 or 3. */
  bomBytes: number;
  /** The length of the `sep=` line behind the mark, its line end included; absent where there is none. */
  sepLineBytes?: number;
  /** Present where the first record is data. */
  header?: false;
}

/** Where the first record starts, be it the header or data. */
export function firstRecordOffset({ bomBytes, sepLineBytes = 0 }: Dialect): number {
  return bomBytes + sepLineBytes;
}

/**
 * Whether a converter that knows only delimiter and header can read the file from its first byte: it passes a byte
 * order mark over, but knows no `sep=` line, and takes a mark before data for part of a value.
 */
export function isReadableWhole({ bomBytes, sepLineBytes, header }: Dialect): boolean {
  return sepLineBytes === undefined && (header !== false || bomBytes === 0);
}

/** Record ends outside quotes, by kind. */
export interface LineEnds {
  crlf: number;
  lf: number;
  cr: number;
}

export interface EncodingEvidence {
  /** Every byte is below 0x80. */
  ascii: boolean;
  /** First byte that is not valid UTF-8. */
  firstInvalidUtf8?: number;
  /** A valid multi-byte UTF-8 sequence exists, at this offset first. */
  firstMultibyteUtf8?: number;
  /** First byte that Windows-1252 lacks (81 8D 8F 90 9D). */
  firstUndefinedWindows1252?: number;
  /** Most of the bytes from 80 on stand where Windows-1252's character makes no sense (`Chlo‘`); this is the first. */
  firstUnlikelyWindows1252?: number;
}

/** Only the first five are kept, with the number of all. */
export interface Positions {
  count: number;
  examples: Position[];
}

export interface ScanProblem extends Positions {
  kind: 'ragged' | 'quoting' | 'unclosed-quote' | 'nul' | 'record-too-long';
}

export interface Position {
  /** 1 is the first data record; 0 is the header. */
  record: number;
  /** The line of the file, from 1 on, as editors count: LF, CRLF and CR each end one, in quotes too. */
  line: number;
  /** The offset of the record's first byte (`nul`, `unclosed-quote`, `quoting`, bare quotes: of the byte itself). */
  byteOffset: number;
  /** `ragged`: how many fields it has. */
  fields?: number;
}

export const MAX_EXAMPLES = 5;

/** How a source's file was read: what a person checks first where a table looks wrong. */
export interface CsvReading {
  delimiter: string;
  delimiterFrom: 'declared' | 'sep=' | 'found';
  encoding: Encoding;
  encodingFrom: 'declared' | 'byte order mark' | 'found';
  /** False: the columns are `column_1`, …. */
  header: boolean;
  /** Quotes inside unquoted fields: they are text, and the table may be a wrong one where they should not be. */
  bareQuotes: Positions;
}

export function csvReadingOf(
  { dialect, bareQuotes }: Pick<CsvScan, 'dialect' | 'bareQuotes'>,
  encoding: Encoding,
  declared: SourceOverrides,
): CsvReading {
  const { delimiter, delimiterFrom = 'declared', bomBytes } = dialect;
  const mark = bomBytes > 0 && encoding === 'utf-8';
  return {
    delimiter,
    delimiterFrom: delimiterFrom === 'head' ? 'found' : delimiterFrom,
    encoding,
    encodingFrom: declared.encoding ? 'declared' : mark ? 'byte order mark' : 'found',
    header: dialect.header !== false,
    bareQuotes,
  };
}

/** `UTF-8 (found), comma (found)`, and what else a person should know. No text of the publisher's is in it. */
export function csvReadingText(reading: CsvReading): string {
  const { encoding, encodingFrom, delimiter, delimiterFrom, header, bareQuotes } = reading;
  const known = [
    `${encoding} (${encodingFrom})`,
    `${delimiterName(delimiter)} (${delimiterFrom})`,
    ...(header ? [] : ['no header']),
  ];
  return [known.join(', '), ...bareQuoteTexts(bareQuotes)].join('; ');
}

function bareQuoteTexts({ count, examples }: Positions): string[] {
  if (count === 0) return [];
  const positions = examples.map(
    ({ record, line, byteOffset }) =>
      `${record === 0 ? 'header' : `record ${record}`} (line ${line}, byte ${byteOffset})`,
  );
  const more = count > examples.length ? ', …' : '';
  return [`${count} quotes inside unquoted fields, kept as text: ${positions.join(', ')}${more}`];
}

const NAMES: Readonly<Record<string, string>> = {
  ',': 'comma',
  ';': 'semicolon',
  '\t': 'tab',
  '|': 'bar',
  ' ': 'blank',
};

/** For tables and Markdown, where the character itself would be markup. */
function delimiterName(delimiter: string): string {
  const code = delimiter.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  return NAMES[delimiter] ?? `U+${code}`;
}
