import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { locateHttpfs } from '../../src/programs/httpfs.ts';
import { fetchSpark35 } from '../../tools/local-aws/programs.ts';
import { fetchIcebergJar, fetchTableReaders } from '../../tools/table-readers/packages.ts';
import { startSparkSession, type SparkSession } from './spark-session.ts';

/** A table as another program reads it. */
export interface ReadTable {
  /** Columns. A type is a `ColumnType`, or the reader's own name of any other type. */
  columns: { name: string; type: string }[];
  /** Rows in an order that is the same for all readers. */
  rows: Row[];
}

/** DOUBLE values are numbers. Integers, dates (`2026-11-01`) and timestamps (`2026-11-01 00:00:00.000000`) are text. */
export type Row = (string | number | null)[];

export interface TableReader {
  /**
   * @param table path or `s3://` address of the table's folder or of a metadata file.
   * @throws Error with the reader's own message.
   */
  read(table: string, of?: Selection): Promise<ReadTable>;
}

export interface Selection {
  /** Tag of the snapshot to read. Default: the head. */
  tag?: string | undefined;
  /** Selects rows whose column has this value, in the form of `ReadTable`. */
  where?: { column: string; type: string; value: string | number | null } | undefined;
}

/** Readers that share one Python process. */
export interface PythonReaders {
  readers: Record<'duckdb' | 'pyiceberg' | 'polars', TableReader>;
  close: () => Promise<void>;
}

interface Answer {
  table?: ReadTable;
  error?: string;
}

/** @param env the gateway's environment, if the tables are in S3. */
export async function startPythonReaders(env: Record<string, string> = {}): Promise<PythonReaders> {
  const script = fileURLToPath(new URL('table_readers.py', import.meta.url));
  const child = spawn('python3', [script], {
    env: {
      ...process.env,
      PYTHONPATH: await fetchTableReaders(),
      PYTHONDONTWRITEBYTECODE: '1',
      DUCKDB_HTTPFS: await locateHttpfs({ given: process.env['DUCKDB_HTTPFS'] }),
      // Without it, polars needs one more package.
      POLARS_ICEBERG_PLANNER: 'pyiceberg',
      ...env,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // If the process has ended, the next answer reports it.
  child.stdin.on('error', () => undefined);
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
  let last: Promise<unknown> = Promise.resolve();
  const ask = async (request: object): Promise<ReadTable> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await answers.next();
    assert.ok(!done, 'The readers ended.');
    return tableIn(JSON.parse(value) as Answer);
  };
  const reader = (name: string): TableReader => ({
    read: async (table, of = {}) => {
      const turn = last.then(async () => await ask({ reader: name, table, ...of }));
      last = turn.catch(() => undefined);
      return await turn;
    },
  });
  return {
    readers: {
      duckdb: reader('duckdb'),
      pyiceberg: reader('pyiceberg'),
      polars: reader('polars'),
    },
    close: async () => {
      const ended = child.exitCode === null ? once(child, 'close') : undefined;
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/**
 * Reads with Iceberg's Java library in Spark 3.5.
 * @param catalog address of a REST catalog. The names of its tables are `lake.longhaul.<name>`.
 * @param env the gateway's environment, if the tables are in S3. Spark reads such tables only by name.
 */
export async function startJavaReader({
  catalog,
  env,
}: { catalog?: string; env?: Record<string, string> } = {}): Promise<TableReader & SparkSession> {
  const jars = [await fetchIcebergJar('spark'), ...(env ? [await fetchIcebergJar('s3')] : [])];
  const session = await startSparkSession({
    home: await fetchSpark35(),
    conf: {
      'spark.jars': jars.join(','),
      // The session's default is the raw local file system, on which Iceberg's vectored reads fail.
      'spark.hadoop.fs.file.impl': 'org.apache.hadoop.fs.LocalFileSystem',
      ...(catalog === undefined ? {} : catalogConf(catalog, env !== undefined)),
    },
    ...(env && { env }),
  });
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-java-'));
  const script = fileURLToPath(new URL('table_readers_spark.py', import.meta.url));
  return {
    ...session,
    read: async (table, of = {}) => {
      const answer = join(folder, 'answer.json');
      await session.do(script, JSON.stringify({ table, ...of, answer }));
      return tableIn(JSON.parse(await readFile(answer, 'utf8')) as Answer);
    },
    close: async () => {
      await session.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function catalogConf(uri: string, isInS3: boolean): Record<string, string> {
  return {
    'spark.sql.catalog.lake': 'org.apache.iceberg.spark.SparkCatalog',
    'spark.sql.catalog.lake.type': 'rest',
    'spark.sql.catalog.lake.uri': uri,
    // Without it, Spark caches a table for half a minute.
    'spark.sql.catalog.lake.cache-enabled': 'false',
    ...(isInS3 && { 'spark.sql.catalog.lake.io-impl': 'org.apache.iceberg.aws.s3.S3FileIO' }),
  };
}

function tableIn({ table, error }: Answer): ReadTable {
  if (!table) throw new Error(error);
  return { ...table, rows: sorted(table.rows) };
}

/** Sorts rows. Any order is right if it is the same for all readers. */
export function sorted(rows: readonly Row[]): Row[] {
  const keyed = rows.map((row) => [JSON.stringify(row), row] as const);
  return keyed.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b))).map(([, row]) => row);
}
