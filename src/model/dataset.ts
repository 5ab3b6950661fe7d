import type { ColumnType } from './schema.ts';

/** What datasets.yaml says of a dataset, checked. It is part of a run's input: small, and no credentials. */
export interface DatasetSpec {
  name: string;
  /** IANA; the ingest date is the day in this zone. */
  timeZone: string;
  /**
   * Where the columns of the dataset's table would change: `freeze` holds the run before its publication, `report`
   * publishes, and the command ends with the exit code of SCHEMA_CHANGED. Default: they change.
   */
  schema?: 'freeze' | 'report';
  sources: SourceSpec[];
}

export interface SourceSpec {
  id: string;
  /** http:, https:, or file: (embedded mode only). */
  address: string;
  /** Sent with each request to the address's own host. A secret in one is a variable, `${NAME}`. */
  headers?: Record<string, string>;
  /** How a portal's layer gets its geometry as columns; absent: as its kind has it. */
  geometry?: Geometry;
  /** A missing optional source is listed in the manifest as missing; the day is published without it. */
  optional: boolean;
  overrides: SourceOverrides;
}

export interface SourceOverrides {
  encoding?: Encoding;
  /** One ASCII character. */
  delimiter?: string;
  /** False: the first record is data, and the columns are `column_1`, …. True: it is the header, whatever it looks like. */
  header?: boolean;
  /** Normalised name of the publisher's column → the name that it has in the lake: for one that was renamed. */
  aliases?: Record<string, string>;
  /** By column name in the lake. Declared types win over found ones. */
  types?: Record<string, DeclaredType>;
}

/** No column; `x` and `y` in WGS 84, of points; the text of the geometry in WGS 84. */
export const GEOMETRIES = ['none', 'xy', 'wkt'] as const;
export type Geometry = (typeof GEOMETRIES)[number];

export type Encoding = 'utf-8' | 'windows-1252';

export interface DeclaredType {
  type: ColumnType;
  /** For DATE and TIMESTAMP: a format of `DATE_FORMATS` / `TIMESTAMP_FORMATS`; by default whichever fits every value. */
  format?: string;
}

export const ENGINES = ['duckdb', 'spark', 'parquetjs', 'emr', 'emr-serverless'] as const;
export type Engine = (typeof ENGINES)[number];
/** Those that convert a file at a time. */
export type FileEngine = 'duckdb' | 'parquetjs';
/** Those that convert many sources in one job of Spark. */
export type BatchEngine = Exclude<Engine, FileEngine>;

export function isBatchEngine(engine: Engine): engine is BatchEngine {
  return engine !== 'duckdb' && engine !== 'parquetjs';
}
