import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { createEngine } from '../src/conversion/engines.ts';
import { inspect } from '../src/conversion/inspect.ts';
import { CsvScanner } from '../src/landing/record-scanner.ts';
import { ENGINES } from '../src/model/dataset.ts';
import type { Encoding, Engine } from '../src/model/dataset.ts';
import { quoteLiteral } from '../src/model/names.ts';
import type { CsvScan } from '../src/model/scan.ts';
import { DiskStore } from '../src/storage/disk-store.ts';

/**
 * `node --import tsx bench/conversion.ts FILE [--engine duckdb] [--encoding windows-1252]`: seconds of
 * inspection and conversion beside DuckDB's own typed COPY, which also finds its types in the whole file.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { engine: { type: 'string' }, encoding: { type: 'string' } },
});
const [path] = positionals;
const engine = (values.engine ?? 'duckdb') as Engine;
if (path === undefined || !ENGINES.includes(engine)) {
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
  const input = { kind: 'disk' as const, path };
  const signal = new AbortController().signal;
  const onProgress = (): void => undefined;
  const schema = await timed('inspect', () =>
    inspect({ input, bytes, scan, encoding, overrides: {}, signal, onProgress }),
  );
  await timed(`convert (${engine})`, () =>
    createEngine(engine, {
      duckdb: { memoryLimit: MEMORY_LIMIT, threads },
      spark: { master: `local[${threads}]`, driverMemory: '2g', searchPath: process.env['PATH'] },
    }).convert({
      input,
      inputBytes: bytes,
      scan,
      encoding,
      schema,
      output: new DiskStore(folder),
      outputPrefix: 'out/',
      signal,
      onProgress,
    }),
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

async function scanOf(path: string, encoding: Encoding): Promise<CsvScan> {
  const file = await open(path);
  const mark = Buffer.alloc(3);
  await file.read(mark, 0, mark.length, 0);
  await file.close();
  const bomBytes = mark.equals(Buffer.from([0xef, 0xbb, 0xbf])) ? mark.length : 0;
  const scanner = new CsvScanner({ delimiter: ',', quote: '"', bomBytes });
  for await (const block of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    scanner.push(block as Buffer);
  }
  return scanner.finish(encoding);
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
