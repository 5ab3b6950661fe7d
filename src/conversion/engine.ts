import type { Encoding } from '../model/dataset.ts';
import type { CsvScan } from '../model/scan.ts';
import type { Schema } from '../model/schema.ts';

/** What every engine gets: a landed file, what is known of it, and the schema that all engines write. */
export interface ConversionRequest {
  inputPath: string;
  inputBytes: number;
  scan: CsvScan;
  encoding: Encoding;
  schema: Schema;
  /** Exists and is empty; the attempt's own. */
  outputFolder: string;
  signal: AbortSignal;
  onProgress: (done: ConversionProgress) => void;
}

export interface ConversionProgress {
  /** Of the input. */
  bytes: number;
}

export interface ConversionOutcome {
  /** File names in the output folder, `part-00000.parquet` onwards, in the source's order. */
  parts: string[];
  /** The request's schema, but for types that this engine cannot write losslessly and so wrote as text. */
  schema: Schema;
}

/**
 * CSV → Parquet. An engine writes every record or throws: it never drops one.
 * @throws LonghaulError VALUES_UNCONVERTIBLE, ENGINE_FAILED, ENGINE_OUT_OF_MEMORY, DISK_FULL.
 */
export interface ConversionEngine {
  convert(request: ConversionRequest): Promise<ConversionOutcome>;
}
