import type { ColumnType } from './schema.ts';

/** The checked entry of a dataset in datasets.yaml. It is part of a run's input: small, and without credentials. */
export interface DatasetSpec {
  name: string;
  /** IANA name. The ingest date is the day in this zone. */
  timeZone: string;
  /**
   * What a run does if the columns of the dataset's table change. `freeze` stops it before the publication. `report`
   * publishes, and the command ends with the exit code of SCHEMA_CHANGED. Default: they change without an error.
   */
  schema?: 'freeze' | 'report';
  sources: SourceSpec[];
}

export interface SourceSpec {
  id: string;
  /** An http: or https: address, or in embedded mode a file: address. */
  address: string;
  /** The worker sends them with each request to the address's own host. Secrets in them are variables, `${NAME}`. */
  headers?: Record<string, string>;
  /** How the geometry of an ArcGIS layer becomes columns. Default: `xy` for points, else `none`. */
  geometry?: Geometry;
  /** True if the day may be published without the source. The manifest then lists the source as missing. */
  optional: boolean;
  overrides: SourceOverrides;
}

export interface SourceOverrides {
  encoding?: Encoding;
  /** One ASCII character. */
  delimiter?: string;
  /** False if the first record is data, and the columns are `column_1`, …. True if it is the header in any case. */
  header?: boolean;
  /** Normalised name of the publisher's column → its name in the lake, for a column that the publisher renamed. */
  aliases?: Record<string, string>;
  /** Column name in the lake → type. Declared types have precedence over found ones. */
  types?: Record<string, DeclaredType>;
}

/** `none`: no column. `xy`: the columns `x` and `y` of points in WGS 84. `wkt`: the geometry as text in WGS 84. */
export const GEOMETRIES = ['none', 'xy', 'wkt'] as const;
export type Geometry = (typeof GEOMETRIES)[number];

export type Encoding = 'utf-8' | 'windows-1252';

export interface DeclaredType {
  type: ColumnType;
  /** DATE and TIMESTAMP only: a format of `DATE_FORMATS` or `TIMESTAMP_FORMATS`. Default: one that fits every value. */
  format?: string;
}

export const ENGINES = ['duckdb', 'spark', 'parquetjs', 'emr', 'emr-serverless'] as const;
export type Engine = (typeof ENGINES)[number];
/** The engines that convert one file at a time. */
export type FileEngine = 'duckdb' | 'parquetjs';
/** The engines that convert many sources in one Spark job. */
export type BatchEngine = Exclude<Engine, FileEngine>;

export function isBatchEngine(engine: Engine): engine is BatchEngine {
  return engine !== 'duckdb' && engine !== 'parquetjs';
}
