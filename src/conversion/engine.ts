import type { Encoding } from '../model/dataset.ts';
import type { CsvScan } from '../model/scan.ts';
import type { Schema } from '../model/schema.ts';
import type { Location } from '../storage/location.ts';
import type { Store } from '../storage/store.ts';

/** The input of every engine: a landed file, its scan, and the schema that all engines write. */
export interface ConversionRequest {
  input: Location;
  inputBytes: number;
  scan: CsvScan;
  encoding: Encoding;
  schema: Schema;
  /** Where the parts go: a zone of the lake that the input lies in. */
  output: Store;
  /** What the keys of the parts start with: the attempt's own, so that no other one writes or reads them. */
  outputPrefix: string;
  /** In it too, ending with `/`: for what else the attempt makes. Its owner removes it. */
  scratchPrefix: string;
  signal: AbortSignal;
  onProgress: (done: ConversionProgress) => void;
  /** What takes time before or beside the conversion (a program that is fetched), for people. */
  onNote?: (note: string) => void;
}

export interface ConversionProgress {
  /** Bytes of the input that are done. */
  bytes: number;
  /** Bytes of Parquet so far; an object in S3 counts once it is whole. Undefined where the engine does not say. */
  bytesWritten?: number;
}

export interface ConversionOutcome {
  /** What follows the output prefix, `00000.parquet` onwards, in the source's order. */
  parts: string[];
  /** The request's schema, but for types that this engine cannot write losslessly and so wrote as text. */
  schema: Schema;
}

/**
 * CSV → Parquet. An engine writes every record or throws: it never drops one. Where it throws, it leaves nothing
 * below the output prefix. A part has its name only once it is whole, even if the engine is killed.
 * @throws LonghaulError ENGINE_FAILED, ENGINE_OUT_OF_MEMORY, DISK_FULL, LAKE_…, STORE_… of S3,
 *   PROGRAM_NOT_INSTALLED (DuckDB's httpfs); the signal's reason.
 */
export interface ConversionEngine {
  convert(request: ConversionRequest): Promise<ConversionOutcome>;
}
