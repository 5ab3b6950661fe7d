import type { DuckDbSettings } from '../config/settings.ts';
import type { Engine } from '../model/dataset.ts';
import { createDuckDbEngine } from './duckdb/engine.ts';
import type { ConversionEngine } from './engine.ts';
import { createParquetJsEngine } from './parquetjs/engine.ts';

export function createEngine(name: Engine, settings: DuckDbSettings): ConversionEngine {
  switch (name) {
    case 'duckdb':
      return createDuckDbEngine(settings);
    case 'parquetjs':
      return createParquetJsEngine();
  }
}
