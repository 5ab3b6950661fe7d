import type { Encoding } from '../../model/dataset.ts';
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
