import type { DuckDbSettings, SparkSettings } from '../config/settings.ts';
import type { WorkerEngine } from '../model/dataset.ts';
import { createDuckDbEngine } from './duckdb/engine.ts';
import type { ConversionEngine } from './engine.ts';
import { createParquetJsEngine } from './parquetjs/engine.ts';
import { PART_SIZES } from './parts/next-range.ts';
import { createSparkEngine } from './spark/engine.ts';

export interface EngineSettings {
  duckdb: DuckDbSettings;
  spark: SparkSettings;
}

/** @param sizes of DuckDB's and parquetjs' parts, for tests, whose files are small. */
export function createEngine(
  name: WorkerEngine,
  settings: EngineSettings,
  sizes = PART_SIZES,
): ConversionEngine {
  switch (name) {
    case 'duckdb':
      return createDuckDbEngine(settings.duckdb, sizes);
    case 'spark':
      return createSparkEngine(settings.spark);
    case 'parquetjs':
      return createParquetJsEngine(sizes);
  }
}
