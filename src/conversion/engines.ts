import type { DuckDbSettings } from '../config/settings.ts';
import type { FileEngine } from '../model/dataset.ts';
import { createDuckDbEngine } from './duckdb/engine.ts';
import type { ConversionEngine } from './engine.ts';
import { createParquetJsEngine } from './parquetjs/engine.ts';
import { PART_SIZES } from './parts/next-range.ts';

/** What they work with. */
export interface EngineDeps {
  duckdb: DuckDbSettings;
}

/** @param sizes of DuckDB's and parquetjs' parts, for tests, whose files are small. */
export function createEngine(
  name: FileEngine,
  deps: EngineDeps,
  sizes = PART_SIZES,
): ConversionEngine {
  switch (name) {
    case 'duckdb':
      return createDuckDbEngine(deps.duckdb, sizes);
    case 'parquetjs':
      return createParquetJsEngine(sizes);
  }
}
