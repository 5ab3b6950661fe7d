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
  /** Types are `ColumnType`s, or a word of the reader's own for any other. */
  columns: { name: string; type: string }[];
  /** In one order for all readers. */
  rows: Row[];
}

/** Numbers are DOUBLE; integers, dates (`2026-11-01`) and timestamps (`2026-11-01 00:00:00.000000`) are text. */
export type Row = (string | number | null)[];

export interface TableReader {
  /**
   * @param table its folder, or a metadata file: a path or an `s3://` address.
   * @throws Error with the reader's own words.
   */
  read(table: string, of?: Selection): Promise<ReadTable>;
}

export interface Selection {
  /** Of a snapshot; none: the head. */
  tag?: string | undefined;
  /** Only rows whose column equals the value, as `ReadTable` has it. */
  where?: { column: string; type: string; value: string | number | null } | undefined;
}

/** All in one process of Python. */
export interface PythonReaders {
  readers: Record<'duckdb' | 'pyiceberg' | 'polars', TableReader>;
  close: () => Promise<void>;
}

interface Answer {
  table?: ReadTable;
  error?: string;
}

/** @param env where the tables are in S3, the gateway's and its credentials. */
export async function startPythonReaders(env: Record<string, string> = {}): Promise<PythonReaders> {
  const script = fileURLToPath(new URL('table_readers.py', import.meta.url));
  const child = spawn('python3', [script], {
    env: {
      ...process.env,
      PYTHONPATH: await fetchTableReaders(),
      PYTHONDONTWRITEBYTECODE: '1',
      DUCKDB_HTTPFS: await locateHttpfs({ given: process.env['DUCKDB_HTTPFS'] }),
      // It asks for one more package otherwise.
      POLARS_ICEBERG_PLANNER: 'pyiceberg',
      ...env,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // Where it has ended, the next answer says so.
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
 * Iceberg's own library, in Spark 3.5.
 * @param catalog address of a REST catalog, whose tables are `lake.longhaul.<name>` then.
 * @param env where the tables are in S3, the gateway's and its credentials: such tables are read by name only.
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
      // Its vectored reads fail on the raw one, which the session has otherwise.
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
    // Spark keeps a table for half a minute otherwise.
    'spark.sql.catalog.lake.cache-enabled': 'false',
    ...(isInS3 && { 'spark.sql.catalog.lake.io-impl': 'org.apache.iceberg.aws.s3.S3FileIO' }),
  };
}

function tableIn({ table, error }: Answer): ReadTable {
  if (!table) throw new Error(error);
  return { ...table, rows: sorted(table.rows) };
}

/** Any order serves that is the same for all. */
export function sorted(rows: readonly Row[]): Row[] {
  const keyed = rows.map((row) => [JSON.stringify(row), row] as const);
  return keyed.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b))).map(([, row]) => row);
}
