import type { Encoding } from '../model/dataset.ts';
import type { CsvScan } from '../model/scan.ts';
import type { Schema } from '../model/schema.ts';
import type { Location } from '../storage/location.ts';
import type { Store } from '../storage/store.ts';

/** A landed file and how it is read. */
export interface ReadableFile {
  location: Location;
  bytes: number;
  scan: CsvScan;
  encoding: Encoding;
}

/** A file with the schema that all engines write. */
export interface TypedFile extends ReadableFile {
  schema: Schema;
}

export interface Progress {
  /** Bytes of the input that are done. */
  bytes: number;
  /** Bytes of Parquet so far; an object in S3 counts once it is complete. Undefined if the engine does not say. */
  bytesWritten?: number;
}

/** How an activity stops its work, and what it shows of it. */
export interface Watch {
  signal: AbortSignal;
  onProgress: (
    done: Progress & { totalBytes: number; sources?: { done: number; total: number } },
  ) => void;
  /** Shows the user what takes time beside the conversion, such as fetching a program. */
  onNote: (note: string) => void;
}

/** The input of every engine. */
export interface ConversionRequest extends TypedFile {
  /** The zone for the parts. It belongs to the same lake as the input. */
  output: Store;
  /** Start of the parts' keys. Only this attempt uses it, so no other attempt writes or reads them. */
  outputPrefix: string;
  /** Prefix in the same zone for the attempt's other files. It ends with `/`. The caller removes it. */
  scratchPrefix: string;
  signal: AbortSignal;
  onProgress: (done: Progress) => void;
  onNote?: Watch['onNote'];
}

export interface ConversionOutcome {
  /** Names behind the output prefix, from `00000.parquet` on, in the source's order. */
  parts: string[];
  /** The request's schema. If the engine cannot write a type losslessly, the column is text here. */
  schema: Schema;
}

/**
 * Converts CSV to Parquet. An engine writes every record or throws: it never drops one. If it throws, it leaves nothing
 * below the output prefix. A part gets its name only when it is complete, even if the engine is killed.
 * @throws LonghaulError ENGINE_FAILED, ENGINE_OUT_OF_MEMORY, DISK_FULL, LAKE_…, STORE_… of S3, PROGRAM_NOT_INSTALLED
 *   (DuckDB's httpfs); the signal's reason.
 */
export type ConversionEngine = (request: ConversionRequest) => Promise<ConversionOutcome>;
