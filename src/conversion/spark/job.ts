import type { z } from 'zod';
import type { Encoding } from '../../model/dataset.ts';
import type { LonghaulError } from '../../model/errors.ts';
import type { Column } from '../../model/schema.ts';
import type { SPARK_RESULT } from '../../storage/manifest-shapes.ts';
import type { Lake } from '../../storage/store.ts';

/**
 * Work of `convert.py` as plain JSON, the same on a laptop and on EMR. Each source has its own `SparkJob` in the lake.
 * Spark finds credentials itself. If the job is submitted again, it goes on with the sources without a result.
 */
export interface SparkBatch {
  format: 'longhaul/spark-batch/1';
  /** URIs of the lake's zones, ending with `/`, in the form that Hadoop opens: `file:`, `s3a:`, or `s3:` on EMR. */
  raw: string;
  converted: string;
  sources: SparkBatchSource[];
  /**
   * URI of a folder, ending with `/`. The empty file `<id>.<n>` exists from the n-th start of a source until its
   * result. If the job finds such files at its start, the session died in these starts.
   */
  starts: string;
  /** Whether progress goes to standard output, as lines `{"bytes":…}`. Otherwise the job prints nothing. */
  progress?: true;
}

export interface SparkBatchSource {
  id: string;
  /** Key of its `SparkJob` in the converted zone. */
  job: string;
  /**
   * URI of a folder, ending with `/`, for the parts `<partPrefix>00000.parquet` … in the inputs' order. The job
   * replaces files of these names.
   */
  output: string;
  /** Start of the parts' names. */
  partPrefix: string;
  /** URI of a folder that only this source uses, ending with `/`. The job removes its unfinished files there. */
  staging: string;
  /** URI of the source's `SparkResult`, which the job writes last. If it exists already, the source is done. */
  result: string;
  /** URI of a manifest. If it exists, writing fails. Otherwise the job empties the output folder first. */
  unless?: string;
}

/** How Spark reads one source. */
export interface SparkJob {
  format: 'longhaul/spark-job/1';
  /** Inputs in the source's order. Each is one task. */
  inputs: SparkInput[];
  /** True if every input starts with a header line. */
  header: boolean;
  delimiter: string;
  encoding: Encoding;
  /** Line end of every record in all inputs. Without it Spark guesses from the first break, even one in quotes. */
  lineEnd: '\n' | '\r\n';
  columns: Column[];
  /** Wanted size of a Parquet file. Small files of neighbouring inputs are joined without decoding them. */
  partBytes: number;
  maxPartBytes: number;
}

export interface SparkInput {
  /** Zone of the landed file, or of a copy of it. */
  zone: keyof Lake;
  key: string;
  bytes: number;
  records: number;
}

/** The job writes it last for each source: the parts, with the rows in their footers, or why there are none. */
export type SparkResult = z.infer<typeof SPARK_RESULT>;

export type SparkPart = Extract<SparkResult, { parts: unknown }>['parts'][number];

/**
 * Class and message of the last cause: `java.io.IOException` and so on, or `SessionDied` if the job gives the source
 * up.
 */
export type SparkError = Extract<SparkResult, { error: unknown }>['error'];

/** The kind that `convert.py` reports if the session died too often while it converted the source. */
export const SESSION_DIED = 'SessionDied';

/** A source without parts, and the reason. */
export interface FailedSource {
  id: string;
  error: LonghaulError;
}
