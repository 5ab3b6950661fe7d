/**
 * `npm run bench -- engines [--size 1GB] [--rounds 3] [--dir FOLDER] [--only NAME,…]`: converts one file with quoted
 * line breaks from disk to Parquet, with types from the whole file. It compares Longhaul's engines with DuckDB, Spark
 * and polars as a user would run them. Longhaul's times cover inspection and conversion. The landing has counted the
 * records before.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { createDuckDbEngine } from '../src/conversion/duckdb/engine.ts';
import type { ConversionEngine, ConversionRequest } from '../src/conversion/engine.ts';
import { inspect } from '../src/conversion/inspect.ts';
import { PART_SIZES } from '../src/conversion/parts.ts';
import { SPARK_SIZES, type SparkSizes } from '../src/conversion/spark/inputs.ts';
import { CsvScanner } from '../src/csv/scanner.ts';
import { quoteLiteral } from '../src/model/names.ts';
import type { CsvScan } from '../src/model/scan.ts';
import { locateSpark } from '../src/programs/spark.ts';
import { DiskStore } from '../src/storage/disk-store.ts';
import { sparkEngine } from '../test/helpers/spark-engine.ts';
import { parseSize } from '../tools/generate/size.ts';
import { installPolars, plainPolars, plainSpark, type PlainJob } from './engine-peers.ts';
import { machineFacts, median } from './machine.ts';
import { makeSource } from './origin.ts';
import { duckDbCopy } from './peers.ts';
import { watchMemory } from './process-memory.ts';

const THREADS = availableParallelism();
const DUCKDB = { memoryLimit: '2GiB', threads: THREADS };
const SPARK = {
  master: `local[${THREADS}]`,
  driverMemory: '2g',
  home: process.env['SPARK_HOME'],
  javaHome: process.env['JAVA_HOME'],
  searchPath: process.env['PATH'],
};
/** The conversion by Spark should be this many times as fast sharded as in one task, Spark's start included. */
const GOAL_RATIO = 1.6;

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1GB' },
    rounds: { type: 'string', default: '3' },
    dir: { type: 'string', default: tmpdir() },
    only: { type: 'string' },
  },
});
const sizeBytes = parseSize(values.size);
if (sizeBytes === undefined) throw new Error('Needs a --size such as 1GB.');
const folder = await mkdtemp(join(values.dir, 'longhaul-bench-'));
try {
  await bench(sizeBytes, Number(values.rounds));
} finally {
  await rm(folder, { recursive: true, force: true });
}

interface Contestant {
  name: string;
  /** Times that it converts the file at once. 1 by default. */
  copies?: number;
  /** Writes its Parquet below the folder. */
  run: (into: string) => Promise<Times>;
}

interface Times {
  seconds: number;
  /** Seconds of the conversion. The rest is the inspection. */
  conversionSeconds?: number;
}

interface Figures {
  seconds: number[];
  conversionSeconds: number[];
  cpuSeconds: number[];
  peakBytes: number;
  rows: number;
  files: number;
}

async function bench(bytes: number, rounds: number): Promise<void> {
  console.log(machineFacts());
  const made = await makeSource(folder, bytes);
  const csv = join(folder, made.file);
  console.log(`denver-311 2023: ${made.bytes} bytes, ${made.records} records`);
  const contestants = (await allContestants(csv)).filter(
    ({ name }) => values.only === undefined || values.only.split(',').includes(name),
  );
  const table = new Map<string, Figures>();
  for (let round = 1; round <= rounds; round += 1) {
    // The order is reversed in every other round, because a later contestant finds a warmer cache.
    const order = round % 2 === 1 ? contestants : contestants.toReversed();
    for (const contestant of order) {
      process.env['LONGHAUL_BENCH'] = randomUUID();
      await measure(contestant, table, round);
    }
  }
  report(
    contestants.map(({ name }) => name),
    table,
    made.records,
  );
}

async function allContestants(csv: string): Promise<Contestant[]> {
  const scan = await scanOf(csv);
  const spark = await locateSpark({ given: SPARK.home, searchPath: SPARK.searchPath });
  const polars = await installPolars();
  console.log(`Spark ${spark.version}, polars ${polars.version}\n`);
  const ourSpark = (name: string, sizes: SparkSizes): Contestant => {
    const engine = sparkEngine({ sizes, settings: SPARK });
    return { name, run: async (into) => await ours(engine, csv, scan, into) };
  };
  const ourDuckDb = createDuckDbEngine(DUCKDB, PART_SIZES);
  const single = { ...SPARK_SIZES, shardBytes: Number.MAX_SAFE_INTEGER };
  const job = (into: string): PlainJob => ({
    csv,
    parquet: join(into, 'out.parquet'),
    folder: into,
    threads: THREADS,
  });
  return [
    { name: 'longhaul-duckdb', run: async (into) => await ours(ourDuckDb, csv, scan, into) },
    ourSpark('longhaul-spark', SPARK_SIZES),
    ourSpark('longhaul-spark-single', single),
    {
      name: 'longhaul-spark-single-twice',
      copies: 2,
      run: async (into) =>
        await twice(sparkEngine({ sizes: single, settings: SPARK }), csv, scan, into),
    },
    { name: 'duckdb', run: async (into) => await duckDbCopy({ ...DUCKDB, ...job(into) }) },
    { name: 'spark', run: async (into) => await plainSpark(spark, SPARK, job(into)) },
    { name: 'polars', run: async (into) => await plainPolars(polars, job(into)) },
  ];
}

async function ours(
  engine: ConversionEngine,
  csv: string,
  scan: CsvScan,
  into: string,
): Promise<Times> {
  const before = performance.now();
  const file = await inspected(csv, scan);
  const converting = performance.now();
  await engine({ ...file, ...outputIn(into) });
  const after = performance.now();
  return { seconds: (after - before) / 1000, conversionSeconds: (after - converting) / 1000 };
}

/** Two processes that know nothing of each other. They show how much more two cores do here than one. */
async function twice(
  engine: ConversionEngine,
  csv: string,
  scan: CsvScan,
  into: string,
): Promise<Times> {
  const each = await Promise.all(
    ['one', 'two'].map(async (name) => await ours(engine, csv, scan, join(into, name))),
  );
  const longest = (of: (times: Times) => number): number => Math.max(...each.map(of));
  return {
    seconds: longest(({ seconds }) => seconds),
    conversionSeconds: longest(({ conversionSeconds = 0 }) => conversionSeconds),
  };
}

/** Does the landing's scan of the file. */
async function scanOf(path: string): Promise<CsvScan> {
  const file = await open(path);
  const mark = Buffer.alloc(3);
  await file.read(mark, 0, mark.length, 0);
  await file.close();
  const bomBytes = mark.equals(Buffer.from([0xef, 0xbb, 0xbf])) ? mark.length : 0;
  const scanner = new CsvScanner({ delimiter: ',', quote: '"', bomBytes });
  for await (const block of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    scanner.push(block as Buffer);
  }
  return scanner.finish('utf-8');
}

/** Inspects the whole file for its types. @returns the file in the form that engines receive. */
async function inspected(
  path: string,
  scan: CsvScan,
): Promise<Omit<ConversionRequest, keyof Output>> {
  const file = {
    location: { kind: 'disk' as const, path },
    scan,
    encoding: 'utf-8' as const,
    signal: new AbortController().signal,
    onProgress: (): void => undefined,
  };
  const { size: bytes } = await stat(path);
  const schema = await inspect({ ...file, bytes, overrides: {} });
  return { ...file, bytes, schema };
}

type Output = Pick<ConversionRequest, 'output' | 'outputPrefix' | 'scratchPrefix'>;

/** The parts go to a folder below this one. */
function outputIn(folder: string): Output {
  return { output: new DiskStore(folder), outputPrefix: 'out/', scratchPrefix: 'scratch/' };
}

async function measure(
  { name, run, copies = 1 }: Contestant,
  table: Map<string, Figures>,
  round: number,
): Promise<void> {
  const into = await mkdtemp(join(folder, 'out-'));
  const memory = watchMemory('LONGHAUL_BENCH', process.env['LONGHAUL_BENCH'] ?? '');
  const { seconds, conversionSeconds = seconds } = await run(into);
  const { togetherBytes, cpuSeconds } = await memory.stop();
  const none = { seconds: [], conversionSeconds: [], cpuSeconds: [], peakBytes: 0 };
  const before = table.get(name) ?? none;
  const { rows, files } = await parquetIn(into);
  table.set(name, {
    seconds: [...before.seconds, seconds],
    conversionSeconds: [...before.conversionSeconds, conversionSeconds],
    cpuSeconds: [...before.cpuSeconds, cpuSeconds],
    peakBytes: Math.max(before.peakBytes, togetherBytes),
    files,
    rows: rows / copies,
  });
  const [load = 0] = loadavg();
  console.log(
    `round ${round}, ${name}: ${shown(seconds)}, CPU ${shown(cpuSeconds)} (load ${load.toFixed(1)})`,
  );
  await rm(into, { recursive: true });
}

async function parquetIn(into: string): Promise<{ rows: number; files: number }> {
  const paths: string[] = [];
  for (const entry of await readdir(into, { recursive: true })) {
    const path = join(into, entry);
    if (entry.endsWith('.parquet') && (await stat(path)).isFile()) paths.push(path);
  }
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const list = paths.map((path) => quoteLiteral(path)).join(', ');
    const sql = `SELECT sum(num_rows)::DOUBLE FROM parquet_file_metadata([${list}])`;
    const reader = await (await instance.connect()).runAndReadAll(sql);
    return { rows: Number(reader.getRows()[0]?.[0]), files: paths.length };
  } finally {
    instance.closeSync();
  }
}

function report(
  names: readonly string[],
  table: ReadonlyMap<string, Figures>,
  records: number,
): void {
  console.log(
    '\n|  | seconds | of it the conversion | CPU seconds | peak memory | files | rows |\n' +
      '| --- | --- | --- | --- | --- | --- | --- |',
  );
  for (const name of names) {
    const figures = table.get(name);
    if (!figures) continue;
    const { seconds, conversionSeconds, cpuSeconds, peakBytes, files, rows } = figures;
    const right = rows === records ? 'all' : `${rows - records} more than there are`;
    const times = [seconds, conversionSeconds, cpuSeconds].map((each) => median(each).toFixed(1));
    const memory = `${(peakBytes / 1e9).toFixed(2)} GB`;
    console.log(`| ${name} | ${times.join(' | ')} | ${memory} | ${files} | ${right} |`);
  }
  reportGain(table);
}

function reportGain(table: ReadonlyMap<string, Figures>): void {
  const sharded = table.get('longhaul-spark');
  const single = table.get('longhaul-spark-single');
  if (!sharded || !single) return;
  const ratio = (of: 'seconds' | 'conversionSeconds'): number =>
    median(single[of]) / median(sharded[of]);
  const verdict = ratio('conversionSeconds') >= GOAL_RATIO ? 'met' : 'missed';
  console.log(
    `\nsharded, the conversion by Spark, its start included, is ${ratio('conversionSeconds').toFixed(2)} times as ` +
      `fast (goal: ${GOAL_RATIO}, ${verdict}), with the inspection ${ratio('seconds').toFixed(2)} times`,
  );
  const twice = table.get('longhaul-spark-single-twice');
  if (!twice) return;
  const work = (2 * median(single.conversionSeconds)) / median(twice.conversionSeconds);
  console.log(
    `two such conversions at once, each in one task, do ${work.toFixed(2)} times the work of one`,
  );
}

function shown(seconds: number): string {
  return `${seconds.toFixed(2)} s`;
}
