/**
 * What the landing saw of a CSV file as its bytes passed: the count of its records by an exact RFC 4180 state
 * machine, and everything that a converter must know or that makes the file unreadable without guessing.
 * It is plain JSON: it lies in the landing's manifest.
 */
export interface CsvScan {
  dialect: Dialect;
  /** Raw header fields, decoded as `encoding` says; control characters and all. */
  header: string[];
  /** Data records: header and blank lines not counted. */
  records: number;
  /** Declared, not records; in a one-column file a blank line is an empty field and counts as a record. */
  blankLines: number;
  lineEnds: LineEnds;
  /** Quoted fields with a line break inside exist. */
  quotedBreaks: boolean;
  /** An unquoted field holds a quote character (`5" pipe`): taken literally. */
  bareQuotes: boolean;
  maxRecordBytes: number;
  encoding: EncodingEvidence;
  /** Byte offsets where a record starts, about every `SPLIT_SPACING_BYTES`, ascending; the first is the first data record. */
  splits: number[];
  /** Data records before each of the `splits`; absent in manifests of before it was counted. */
  splitRecords?: number[];
  problems: ScanProblem[];
}

export interface Dialect {
  delimiter: string;
  quote: '"';
  /** Bytes of a UTF-8 byte order mark at the start: 0 or 3. */
  bomBytes: number;
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
}

/** Only the first five of a kind are kept, with the number of all. */
export interface ScanProblem {
  kind: 'ragged' | 'quoting' | 'unclosed-quote' | 'nul' | 'record-too-long';
  count: number;
  examples: ProblemExample[];
}

export interface ProblemExample {
  /** 1 is the first data record; 0 is the header. */
  record: number;
  /** Of the record's first byte (`nul`, `unclosed-quote`, `quoting`: of the byte itself). */
  byteOffset: number;
  /** `ragged`: how many fields it has. */
  fields?: number;
}

export const MAX_PROBLEM_EXAMPLES = 5;
