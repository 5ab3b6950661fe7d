import { readFile, writeFile } from 'node:fs/promises';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance, type DuckDBResult } from '@duckdb/node-api';
import { LonghaulError } from '../../model/errors.ts';
import { printable, quoteIdentifier, quoteLiteral } from '../../model/names.ts';
import type { Store } from '../../storage/store.ts';
import { refused } from '../query-errors.ts';
import { sparkViews, type SparkView } from './views.ts';

/** The script that does a `SparkQueryJob`. */
export const QUERY_SCRIPT = fileURLToPath(new URL('query.py', import.meta.url));

interface SparkQueryJob {
  sql: string;
  views: SparkView[];
  /** Rows at most; undefined: all. */
  maxRows: number | undefined;
  /** A folder's URI, not there yet: for Parquet files whose columns are `c0`, `c1`, …. */
  rows: string;
  /** Path of the answer. */
  answer: string;
}

type SparkQueryAnswer =
  { columns: string[] } | { error: { kind: 'refused' | (string & {}); message: string } };

export interface SparkQueryOptions {
  converted: Store;
  /** A key of the converted zone as Spark opens it. */
  uriOf: (key: string) => string;
  /** On this machine; nothing else is in it. */
  scratchFolder: string;
  maxRows: number | undefined;
  /** Runs the script with the job's path. @returns the end of its standard error. */
  run: (jobPath: string) => Promise<string>;
}

/**
 * Runs one SELECT with Spark over the views of everything that is published, and hands its rows to `use`.
 * @throws LonghaulError QUERY_REFUSED, QUERY_FAILED, LAKE_CORRUPT; what `run` throws.
 */
export async function sparkQuery(
  sql: string,
  { converted, uriOf, scratchFolder, maxRows, run }: SparkQueryOptions,
  use: (result: DuckDBResult) => Promise<void>,
): Promise<void> {
  if (sql.trim() === '') throw refused('The query is empty.');
  const { views, known } = await sparkViews(converted, sql, uriOf);
  const rowsFolder = join(scratchFolder, 'rows');
  const answer = join(scratchFolder, 'answer.json');
  const jobPath = join(scratchFolder, 'query.json');
  const job: SparkQueryJob = { sql, views, maxRows, rows: `file://${rowsFolder}`, answer };
  await writeFile(jobPath, JSON.stringify(job));
  const stderr = await run(jobPath);
  const text = await readFile(answer, 'utf8').catch(() => undefined);
  if (text === undefined) {
    const last = printable(stderr.trim().split('\n').at(-1) ?? '');
    throw new LonghaulError('QUERY_FAILED', `Spark ended without an answer: ${last}`);
  }
  const said = JSON.parse(text) as SparkQueryAnswer;
  if ('error' in said) throw asQueryError(said.error, known);
  await readRows(rowsFolder, said.columns, use);
}

function asQueryError(
  { kind, message }: { kind: string; message: string },
  known: readonly string[],
): LonghaulError {
  const lines = message.split('\n').map((line) => printable(line));
  // Behind them comes the plan, or the JVM's stack.
  const end = lines.findIndex((line) => /^(?:;|JVM stacktrace|\s*'?\w+ \[)/.test(line));
  const words = (end > 0 ? lines.slice(0, end) : lines).join('\n').trim();
  if (kind === 'refused') return refused(words);
  if (!words.includes('TABLE_OR_VIEW_NOT_FOUND')) return new LonghaulError('QUERY_FAILED', words);
  const list = known.length > 0 ? `The views are ${known.join(', ')}` : 'Nothing is published yet';
  const hint = `${list}; each has a …_history with every snapshot. DESCRIBE <view> lists its columns.`;
  return new LonghaulError('QUERY_FAILED', words, { hint });
}

/** DuckDB reads them back: what is printed looks the same whichever engine found it. */
async function readRows(
  folder: string,
  columns: readonly string[],
  use: (result: DuckDBResult) => Promise<void>,
): Promise<void> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.parquet')).toSorted();
  const paths = files.map((name) => quoteLiteral(join(folder, name))).join(', ');
  const values = columns.map((name, index) => `c${index} AS ${quoteIdentifier(name)}`);
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    await use(await connection.stream(`SELECT ${values.join(', ')} FROM read_parquet([${paths}])`));
  } finally {
    instance.closeSync();
  }
}
