import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance, type DuckDBResult } from '@duckdb/node-api';
import { LonghaulError } from '../../model/errors.ts';
import { printable, quoteIdentifier, quoteLiteral } from '../../model/names.ts';
import { hadoopUri, type Store } from '../../storage/store.ts';
import { mentions, viewsFor } from '../catalogue.ts';
import { refused } from '../query-errors.ts';
import { viewSql, type DatedEntry, type SqlDialect } from '../views.ts';

/** The script that does a `SparkQueryJob`. */
export const QUERY_SCRIPT = fileURLToPath(new URL('query.py', import.meta.url));

/** A view, as the script makes it. */
interface SparkView {
  name: string;
  /** Names in `sql`, and the Parquet files that each stands for. */
  tables: Record<string, string[]>;
  sql: string;
}

interface SparkQueryJob {
  sql: string;
  views: SparkView[];
  /** Limit of the result's rows; undefined: all rows. */
  maxRows: number | undefined;
  /** URI of a folder that does not exist yet. The script writes Parquet files with columns `c0`, `c1`, … there. */
  rows: string;
  /** Path of the answer. */
  answer: string;
}

type SparkQueryAnswer = { columns: string[] } | SparkQueryFailure;

interface SparkQueryFailure {
  error: SparkError;
  /** Views that could not be made. They are an error only for a query that names them. */
  broken: (SparkError & { view: string })[];
}

/** Class of an exception, or `refused`, and its message. */
interface SparkError {
  kind: string;
  message: string;
}

export interface SparkQueryOptions {
  converted: Store;
  /** A folder on this host that has no other file. */
  scratchFolder: string;
  maxRows?: number | undefined;
  /** The same as `asOf` of `QueryOptions`. */
  asOf?: string | undefined;
  /** Runs the script with the job's path. @returns the end of its standard error. */
  run: (jobPath: string) => Promise<string>;
}

/**
 * Runs one SELECT with Spark over the views of everything that is published, and gives its rows to `use`. The whole
 * result exists before `use` starts.
 * @throws LonghaulError QUERY_REFUSED, QUERY_FAILED, LAKE_CORRUPT, ENGINE_OUT_OF_MEMORY, STORE_… of S3; errors of
 * `run`.
 */
export async function sparkQuery<T>(
  sql: string,
  options: SparkQueryOptions,
  use: (result: DuckDBResult) => Promise<T>,
): Promise<T> {
  const { converted, scratchFolder, maxRows, run } = options;
  if (sql.trim() === '') throw refused('The query is empty.');
  const { wanted, hint } = await viewsFor(converted, sql, options.asOf);
  const views: SparkView[] = [];
  for (const { view, entries } of wanted) views.push(viewOf(view, await entries(), converted));
  const rowsFolder = join(scratchFolder, 'rows');
  const answer = join(scratchFolder, 'answer.json');
  const jobPath = join(scratchFolder, 'query.json');
  const job: SparkQueryJob = { sql, views, maxRows, rows: `file://${rowsFolder}`, answer };
  await writeFile(jobPath, JSON.stringify(job));
  const stderr = await run(jobPath);
  const text = await readFile(answer, 'utf8').catch(() => undefined);
  if (text === undefined) {
    const last = stderr.trim().split('\n').at(-1) ?? '';
    const end = { kind: 'no answer', message: `Spark ended without an answer: ${last}` };
    throw asQueryError(/OutOfMemoryError/.test(stderr) ? { ...end, kind: MEMORY } : end, hint);
  }
  const result = JSON.parse(text) as SparkQueryAnswer;
  if ('error' in result) throw await errorOf(result, sql, hint, converted.s3?.bucket);
  return await readRows(rowsFolder, result.columns, use);
}

function viewOf(name: string, entries: readonly DatedEntry[], converted: Store): SparkView {
  const tables: Record<string, string[]> = {};
  const sql = viewSql(entries, SPARK_SQL, (keys) => {
    const table = `longhaul_part_${Object.keys(tables).length}`;
    tables[table] = keys.map((key) => hadoopUri(converted, key));
    return table;
  });
  return { name, tables, sql };
}

const SPARK_SQL: SqlDialect = {
  types: {
    BIGINT: 'BIGINT',
    DOUBLE: 'DOUBLE',
    DATE: 'DATE',
    TIMESTAMP: 'TIMESTAMP_NTZ',
    VARCHAR: 'STRING',
  },
  identifier: (name) => `\`${name.replaceAll('`', '``')}\``,
  literal,
  doubleText,
  momentText: (value, format) => {
    const pattern = format.replaceAll(/%[A-Za-z]|T/g, (letter) => JAVA_LETTERS[letter] ?? letter);
    return `date_format(${value}, ${literal(pattern)})`;
  },
  fractionText: (value) => `regexp_replace(date_format(${value}, '.SSSSSS'), '[.]?0+$', '')`,
};

/** A backslash escapes the next character in Spark's strings. */
function literal(text: string): string {
  return `'${text.replaceAll(/[\\']/g, (char) => `\\${char}`)}'`;
}

/** SQL of a double's fewest digits, without an exponent. Java 17 sometimes writes one digit too many. */
function doubleText(value: string): string {
  const digits = (count: number): string => `format_string('%.${count - 1}e', ${value})`;
  const fits = (count: number): string => `WHEN CAST(${digits(count)} AS DOUBLE) = ${value}`;
  const few = `CASE ${fits(15)} THEN ${digits(15)} ${fits(16)} THEN ${digits(16)} ELSE ${digits(17)} END`;
  const decimal = (places: number): string =>
    `CAST(CAST(${few} AS DECIMAL(38, ${places})) AS STRING)`;
  return [
    'CASE',
    `WHEN ${value} = 0 THEN '0'`,
    `WHEN abs(${value}) >= 1e-20 AND abs(${value}) < 1e17 THEN regexp_replace(${decimal(20)}, '[.]?0+$', '')`,
    `WHEN abs(${value}) >= 1e17 AND abs(${value}) < 1e37 THEN ${decimal(0)}`,
    `ELSE CAST(${value} AS STRING)`,
    'END',
  ].join(' ');
}

const JAVA_LETTERS: Readonly<Record<string, string>> = {
  '%Y': 'yyyy',
  '%m': 'MM',
  '%d': 'dd',
  '%H': 'HH',
  '%I': 'hh',
  '%M': 'mm',
  '%S': 'ss',
  '%p': 'a',
  T: "'T'",
};

const MEMORY = 'java.lang.OutOfMemoryError';

async function errorOf(
  { error, broken }: SparkQueryFailure,
  sql: string,
  hint: string,
  bucket: string | undefined,
): Promise<LonghaulError> {
  const wanted = error.kind === 'refused' ? [] : broken.filter(({ view }) => mentions(sql, view));
  if (bucket !== undefined) {
    // Loads the AWS SDK, which a lake on disk does not need.
    const { s3aError } = await import('../../storage/s3/engine-errors.ts');
    for (const failure of [...wanted, error]) {
      const ofStore = s3aError(failure, { permission: 'GetObject', bucket });
      if (ofStore) return ofStore;
    }
  }
  const [first] = wanted;
  if (first) {
    const why = wordsOf(first.message).split('\n', 1)[0] ?? '';
    return new LonghaulError('LAKE_CORRUPT', `The files of ${first.view} cannot be read: ${why}`);
  }
  return asQueryError(error, hint);
}

function asQueryError({ kind, message }: SparkError, viewsHint: string): LonghaulError {
  const words = wordsOf(message);
  if (kind === 'refused') return refused(words);
  if (kind === MEMORY) {
    const hint = 'Raise SPARK_DRIVER_MEMORY in .env, or ask for less at once.';
    return new LonghaulError('ENGINE_OUT_OF_MEMORY', `Spark: ${words}`, { hint });
  }
  if (!words.includes('TABLE_OR_VIEW_NOT_FOUND')) return new LonghaulError('QUERY_FAILED', words);
  return new LonghaulError('QUERY_FAILED', words, { hint: viewsHint });
}

/** Removes the plan, or the JVM's stack, that follows the message. */
function wordsOf(message: string): string {
  const lines = message.split('\n').map((line) => printable(line));
  const end = lines.findIndex((line) => /^(?:;|JVM stacktrace|\s*'?\w+ \[)/.test(line));
  return (end > 0 ? lines.slice(0, end) : lines).join('\n').trim().replace(/;$/, '');
}

/** DuckDB reads the rows back, so that results of both engines look the same. */
async function readRows<T>(
  folder: string,
  columns: readonly string[],
  use: (result: DuckDBResult) => Promise<T>,
): Promise<T> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.parquet')).toSorted();
  const paths = files.map((name) => quoteLiteral(join(folder, name))).join(', ');
  const values = columns.map((name, index) => `c${index} AS ${quoteIdentifier(name)}`);
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    return await use(
      await connection.stream(`SELECT ${values.join(', ')} FROM read_parquet([${paths}])`),
    );
  } finally {
    instance.closeSync();
  }
}
