import type { Encoding, SourceOverrides } from './dataset.ts';

/**
 * What the landing found in the bytes of a CSV file: the count of its records by an exact RFC 4180 state machine,
 * and everything that a converter must know or that makes the file unreadable without guessing. It is plain JSON,
 * because the landing's manifest contains it.
 */
export interface CsvScan {
  dialect: Dialect;
  /** Raw header fields, decoded, with their control characters. `column_1`, … if the file has no header. */
  header: string[];
  /** Line in which the header starts. Absent if the file has no header. */
  headerLine?: number;
  /** Number of data records, without header and blank lines. */
  records: number;
  /** Number of blank lines that are not records. In a one-column file, a blank line is a record with an empty field. */
  blankLines: number;
  lineEnds: LineEnds;
  /** Number of line breaks inside quoted fields. */
  quotedBreaks: number;
  /** Quote characters inside unquoted fields (`5" pipe`), which are text. */
  bareQuotes: Positions;
  maxRecordBytes: number;
  encoding: EncodingEvidence;
  /** Ascending byte offsets of starts of records, about every `SPLIT_SPACING_BYTES`, from the first data record on. */
  splits: number[];
  /** Number of data records before each of the `splits`. */
  splitRecords: number[];
  problems: ScanProblem[];
}

export interface Dialect {
  delimiter: string;
  /** Absent if datasets.yaml declares the delimiter. `sep=` is a first line that Excel reads and writes. */
  delimiterFrom?: 'sep=' | 'head';
  quote: '"';
  /** Bytes of a UTF-8 byte order mark at the start: 0 or 3. */
  bomBytes: number;
  /** Bytes of the `sep=` line after the byte order mark, with its line end. Absent if there is none. */
  sepLineBytes?: number;
  /** Present if the first record is data. */
  header?: false;
}

/** Byte offset of the first record, which is the header or data. */
export function firstRecordOffset({ bomBytes, sepLineBytes = 0 }: Dialect): number {
  return bomBytes + sepLineBytes;
}

/**
 * True if a converter that knows only delimiter and header can read the file from its first byte. It skips a byte order
 * mark before a header, but reads a mark before data as part of a value, and does not know a `sep=` line.
 */
export function isReadableWhole({ bomBytes, sepLineBytes, header }: Dialect): boolean {
  return sepLineBytes === undefined && (header !== false || bomBytes === 0);
}

/** Numbers of record ends outside quotes, by kind. */
export interface LineEnds {
  crlf: number;
  lf: number;
  cr: number;
}

export interface EncodingEvidence {
  /** True if every byte is below 0x80. */
  ascii: boolean;
  /** Offset of the first byte that is not valid UTF-8. */
  firstInvalidUtf8?: number;
  /** Offset of the first valid multi-byte UTF-8 sequence. */
  firstMultibyteUtf8?: number;
  /** Offset of the first byte that Windows-1252 lacks (81 8D 8F 90 9D). */
  firstUndefinedWindows1252?: number;
  /** Offset of the first byte whose Windows-1252 character makes no sense (`Chlo‘`), if most bytes from 80 on do so. */
  firstUnlikelyWindows1252?: number;
}

/** The number of all positions, and the first `MAX_EXAMPLES` of them. */
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
  /** The line of the file from 1, as editors count: LF, CRLF and CR each end a line, even inside quotes. */
  line: number;
  /** Offset of the record's first byte; for `nul`, `unclosed-quote`, `quoting` and bare quotes, of the byte itself. */
  byteOffset: number;
  /** `ragged` only: number of fields of the record. */
  fields?: number;
}

export const MAX_EXAMPLES = 5;

/** How a source's file was read. If a table looks wrong, the user checks this first. */
export interface CsvReading {
  delimiter: string;
  delimiterFrom: 'declared' | 'sep=' | 'found';
  encoding: Encoding;
  encodingFrom: 'declared' | 'byte order mark' | 'found';
  /** False if the columns are `column_1`, …. */
  header: boolean;
  /** Quotes inside unquoted fields. They are read as text, which is wrong if the publisher meant them as quotes. */
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

/** `UTF-8 (found), comma (found)`, and what else the user should know. It contains no text of the publisher. */
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

/** The delimiter's name, because the character itself would be markup in tables and Markdown. */
function delimiterName(delimiter: string): string {
  const code = delimiter.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  return NAMES[delimiter] ?? `U+${code}`;
}
