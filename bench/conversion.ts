import { mkdtemp, rm, stat } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { createEngine } from '../src/conversion/engines.ts';
import { sparkSessions } from '../src/conversion/spark/sessions.ts';
import { WORKER_ENGINES } from '../src/model/dataset.ts';
import type { Encoding, WorkerEngine } from '../src/model/dataset.ts';
import { quoteLiteral } from '../src/model/names.ts';
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
const engine = (values.engine ?? 'duckdb') as WorkerEngine;
if (path === undefined || !WORKER_ENGINES.includes(engine)) {
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
  const spark = sparkSessions({
    master: `local[${threads}]`,
    driverMemory: '2g',
    searchPath: process.env['PATH'],
    idleMs: 0,
  });
  const deps = { duckdb: { memoryLimit: MEMORY_LIMIT, threads }, spark: spark.run };
  await timed(`convert (${engine})`, () =>
    createEngine(engine, deps).convert({ ...file, ...outputIn(folder) }),
  );
  if (encoding === 'utf-8') await timed("DuckDB's own typed COPY", () => ownCopy(path));
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
