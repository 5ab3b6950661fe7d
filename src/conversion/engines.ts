import type { DuckDbSettings } from '../config/settings.ts';
import type { WorkerEngine } from '../model/dataset.ts';
import { createDuckDbEngine } from './duckdb/engine.ts';
import type { ConversionEngine } from './engine.ts';
import { createParquetJsEngine } from './parquetjs/engine.ts';
import { PART_SIZES } from './parts/next-range.ts';

/** @param sizes for tests, whose files are small. */
export function createEngine(
  name: WorkerEngine,
  settings: DuckDbSettings,
  sizes = PART_SIZES,
): ConversionEngine {
  switch (name) {
    case 'duckdb':
      return createDuckDbEngine(settings, sizes);
    case 'parquetjs':
      return createParquetJsEngine(sizes);
  }
}
