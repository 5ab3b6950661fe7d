import { mkdtemp, rm, stat } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import type { ConversionEngine } from '../src/conversion/engine.ts';
import { createEngine } from '../src/conversion/convert-source.ts';
import type { Encoding } from '../src/model/dataset.ts';
import { quoteLiteral } from '../src/model/names.ts';
import { sparkEngine } from '../test/helpers/spark-engine.ts';
import { inspected, outputIn, scanOf } from './landed-file.ts';

/**
 * `npm run bench -- conversion FILE [--engine duckdb] [--encoding windows-1252]`: seconds of
 * inspection and conversion beside DuckDB's own typed COPY, which also finds its types in the whole file.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { engine: { type: 'string' }, encoding: { type: 'string' } },
});
const [path] = positionals;
const ENGINES = ['duckdb', 'spark', 'parquetjs'] as const;
const engine = ENGINES.find((each) => each === (values.engine ?? 'duckdb'));
if (path === undefined || engine === undefined) {
  throw new Error(
    'Usage: bench/conversion.ts FILE [--engine duckdb|spark|parquetjs] [--encoding …]',
  );
}
const MEMORY_LIMIT = '1GiB';
const threads = availableParallelism();
const bytes = (await stat(path)).size;
const folder = await mkdtemp(join(tmpdir(), 'longhaul-bench-'));
try {
  await run(path);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function run(path: string): Promise<void> {
  const encoding: Encoding = values.encoding === 'windows-1252' ? 'windows-1252' : 'utf-8';
  const scan = await timed('scan (the landing does it on the way)', () => scanOf(path, encoding));
  const file = await timed('inspect', () => inspected(path, scan, encoding));
  await timed(`convert (${engine})`, () =>
    ofName(engine ?? 'duckdb').convert({ ...file, ...outputIn(folder) }),
  );
  if (encoding === 'utf-8') await timed("DuckDB's own typed COPY", () => ownCopy(path));
}

function ofName(name: (typeof ENGINES)[number]): ConversionEngine {
  if (name !== 'spark') {
    return createEngine(name, { memoryLimit: MEMORY_LIMIT, threads });
  }
  const searchPath = process.env['PATH'];
  return sparkEngine({ settings: { master: `local[${threads}]`, driverMemory: '2g', searchPath } });
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const before = performance.now();
  const result = await work();
  const seconds = (performance.now() - before) / 1000;
  const rate = bytes / 1e6 / seconds;
  process.stdout.write(`${what}: ${seconds.toFixed(2)} s (${rate.toFixed(0)} MB/s)\n`);
  return result;
}

async function ownCopy(path: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(threads),
    memory_limit: MEMORY_LIMIT,
  });
  const connection = await instance.connect();
  await connection.run(
    `COPY (FROM read_csv(${quoteLiteral(path)}, sample_size = -1)) TO ${quoteLiteral(join(folder, 'own.parquet'))} (FORMAT parquet, COMPRESSION zstd)`,
  );
  connection.closeSync();
  instance.closeSync();
}
