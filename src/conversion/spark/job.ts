import type { Encoding } from '../../model/dataset.ts';
import type { CsvScan } from '../../model/scan.ts';
import type { Column } from '../../model/schema.ts';
import type { Lake } from '../../storage/store.ts';

/**
 * What `convert.py` does, as plain JSON: the same on a laptop and on EMR. A list of sources, of which each has its own
 * `SparkJob` in the lake; no credentials: Spark finds them itself. A job that is submitted again goes on where it was.
 */
export interface SparkBatch {
  format: 'longhaul/spark-batch/1';
  /** URIs of the lake's zones, ending with `/`, as Hadoop opens them: `file:`, `s3a:`, `s3:` of EMR. */
  raw: string;
  converted: string;
  sources: SparkBatchSource[];
  /**
   * A folder's URI, ending with `/`: the empty file `<id>.<n>` is there from the n-th start of a source to its result. What
   * the job finds there are starts in which the session died.
   */
  starts: string;
  /** Progress goes to standard output, a line `{"bytes":…}` each time; nothing is printed otherwise. */
  progress?: true;
}

export interface SparkBatchSource {
  id: string;
  /** Key of its `SparkJob` in the converted zone. */
  job: string;
  /** A folder's URI ending with `/`: `<partPrefix>00000.parquet` … in the inputs' order, in the place of what has such names. */
  output: string;
  /** What the names of the parts start with. */
  partPrefix: string;
  /** URI of a folder of the source's own, ending with `/`: unfinished files lie there, and the job removes them. */
  staging: string;
  /** URI of the one JSON that is written, last: a `SparkResult`. Where it is there already, the source is done. */
  result: string;
  /** URI of a manifest. Where it exists, the output is published, and writing is an error; else the output is emptied first. */
  unless?: string;
}

/** What Spark reads of one source, and how. */
export interface SparkJob {
  format: 'longhaul/spark-job/1';
  /** In the source's order; one task each. */
  inputs: SparkInput[];
  /** Every input starts with a header line. */
  header: boolean;
  delimiter: string;
  encoding: Encoding;
  /** What ends a record, in every input. Left to itself, Spark guesses it from the first line break, be that in quotes. */
  lineEnd: '\n' | '\r\n';
  columns: Column[];
  /** Of a Parquet file: small ones of neighbouring inputs become one, without being written anew. */
  partBytes: number;
  maxPartBytes: number;
}

export interface SparkInput {
  /** The landed file, or a copy made of it. */
  zone: keyof Lake;
  key: string;
  bytes: number;
  records: number;
}

export type SparkResult =
  | { format: 'longhaul/spark-result/1'; parts: SparkPart[] }
  | { format: 'longhaul/spark-result/1'; error: SparkError };

export interface SparkPart {
  /** In the source's output. */
  name: string;
  /** As the finished file's footer has it. */
  rows: number;
  bytes: number;
}

export interface SparkError {
  /** The class of the last cause, `java.io.IOException`; `SessionDied` where the job gives a source up. */
  kind: string;
  /** The last cause's own words. */
  message: string;
}

/** What `convert.py` says of a source in whose work the session has died too often. */
export const SESSION_DIED = 'SessionDied';

export interface SparkSizes {
  shardBytes: number;
  partBytes: number;
  maxPartBytes: number;
}

/** Of a shard: Spark reads a file with line breaks in quotes in one task, so shards are what makes it parallel. */
const SHARD_BYTES = 128_000_000;
/** Of a Parquet file, as aimed at, and at most. */
const PART_BYTES = 192_000_000;
const MAX_PART_BYTES = 256_000_000;

export const SPARK_SIZES: SparkSizes = {
  shardBytes: SHARD_BYTES,
  partBytes: PART_BYTES,
  maxPartBytes: MAX_PART_BYTES,
};

/** Whole records of a landed file: bytes [start, end). */
export interface Shard {
  start: number;
  end: number;
  records: number;
}

/**
 * A landed file's records, cut at its `splits` into shards of about the same size, none much larger than `shardBytes`:
 * header and byte order mark are in none. One shard where the file is small; none where it has no record.
 */
export function shardsOf(
  file: { bytes: number; scan: Pick<CsvScan, 'records' | 'splits' | 'splitRecords'> },
  shardBytes: number,
): Shard[] {
  const { bytes, scan } = file;
  const first = scan.splits[0];
  if (first === undefined || scan.records === 0) return [];
  const count = Math.ceil((bytes - first) / shardBytes);
  const starts = [0];
  for (let n = 1; n < count; n += 1) {
    const at = nearest(scan.splits, first + ((bytes - first) * n) / count);
    if (at > (starts.at(-1) ?? 0)) starts.push(at);
  }
  const recordsBefore = (index: number | undefined): number =>
    index === undefined ? scan.records : (scan.splitRecords[index] ?? 0);
  return starts.map((at, n) => ({
    start: scan.splits[at] ?? bytes,
    end: scan.splits[starts[n + 1] ?? scan.splits.length] ?? bytes,
    records: recordsBefore(starts[n + 1]) - recordsBefore(at),
  }));
}

/** The index of the position that is nearest; positions ascend. */
function nearest(positions: readonly number[], wanted: number): number {
  let best = 0;
  for (const [index, position] of positions.entries()) {
    if (Math.abs(position - wanted) < Math.abs((positions[best] ?? 0) - wanted)) best = index;
  }
  return best;
}

/** Delimiters that Spark's reader takes as they are. */
const TRUSTED_DELIMITERS = new Set([',', ';', '\t', '|']);

/**
 * Whether Spark's reader, given the dialect, sees the records that an exact RFC 4180 reader sees. Where it would not,
 * the records are first written anew by `prepareCsv`.
 */
export function readsExactly(scan: CsvScan, encoding: Encoding): boolean {
  const { crlf, lf, cr } = scan.lineEnds;
  return (
    scan.header.length > 1 && // It drops the empty lines of a one-column file.
    scan.blankLines === 0 &&
    scan.bareQuotes.count === 0 &&
    cr === 0 &&
    (crlf === 0 || lf === 0) &&
    TRUSTED_DELIMITERS.has(scan.dialect.delimiter) &&
    // Java has U+FFFD for the bytes that Windows-1252 lacks.
    (encoding === 'utf-8' || scan.encoding.firstUndefinedWindows1252 === undefined)
  );
}

/** What ends the records of a file that is read as it is. */
export function lineEndOf(scan: Pick<CsvScan, 'lineEnds'>): '\n' | '\r\n' {
  return scan.lineEnds.crlf > 0 ? '\r\n' : '\n';
}
