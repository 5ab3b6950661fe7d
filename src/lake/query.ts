import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, StatementType } from '@duckdb/node-api';
import type { DuckDBConnection, DuckDBPreparedStatement, DuckDBResult } from '@duckdb/node-api';
import { LonghaulError } from '../model/errors.ts';
import type { SnapshotManifest } from '../model/manifest.ts';
import { printable, quoteIdentifier, quoteLiteral } from '../model/names.ts';
import { readSnapshot } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import { latestOfEachSource, readCatalogue } from './catalogue.ts';
import { filesOf, viewSql } from './views.ts';

export interface QueryOptions {
  converted: Store;
  duckdb: { memoryLimit: string; threads: number };
}

/**
 * Runs one SELECT over the views of everything that is published and hands its result to `use`; the result is
 * good until `use` ends.
 * @param options.stream false: the whole result is there before `use` starts, so no error comes after it.
 * @throws LonghaulError QUERY_REFUSED, QUERY_FAILED, LAKE_CORRUPT.
 */
export async function query<T>(
  sql: string,
  options: QueryOptions & { stream: boolean },
  use: (result: DuckDBResult) => Promise<T>,
): Promise<T> {
  // DuckDB makes it when it first spills: a query that is cut off (`| head`) leaves nothing otherwise.
  const spillFolder = join(tmpdir(), `longhaul-query-${randomUUID()}`);
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: options.duckdb.memoryLimit,
    threads: String(options.duckdb.threads),
    temp_directory: spillFolder,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_persistent_secrets: 'false',
  });
  try {
    const connection = await instance.connect();
    const { broken, known } = await createViews(connection, options.converted, sql);
    const statement = await prepareOne(connection, sql).catch((error: unknown) => {
      throw broken.find(({ view }) => mentions(sql, view))?.error ?? withViews(error, known);
    });
    return await failing(async () =>
      use(options.stream ? await statement.stream() : await statement.run()),
    );
  } finally {
    instance.closeSync();
    await rm(spillFolder, { recursive: true, force: true });
  }
}

interface BrokenView {
  view: string;
  error: LonghaulError;
}

/** DuckDB sees only the views that the query names: whoever misspelt one is told them all. */
function withViews(error: unknown, views: readonly string[]): unknown {
  if (!(error instanceof LonghaulError) || !error.message.startsWith('Catalog Error')) return error;
  const list = views.length > 0 ? `The views are ${views.join(', ')}` : 'Nothing is published yet';
  const hint = `${list}; each has a …_history with every snapshot. DESCRIBE <view> lists its columns.`;
  return new LonghaulError(error.code, error.message, { hint }, { cause: error.cause });
}

/**
 * One view a dataset, and one of its history where the query may mean it; then the doors are shut. Nothing but
 * the manifests' own files can be opened after that, by name: not even the rest of the lake (`EXPORT DATABASE`
 * makes its folder while it is merely prepared).
 * @returns `broken`: views that could not be made, an error only for a query that wants them.
 */
async function createViews(
  connection: DuckDBConnection,
  converted: Store,
  sql: string,
): Promise<{ broken: BrokenView[]; known: string[] }> {
  const uriOf = (key: string): string => converted.uri(key);
  const files = new Set<string>();
  const broken: BrokenView[] = [];
  const datasets = await readCatalogue(converted);
  const ownViews = new Set(datasets.map(({ view }) => view));
  const create = async (view: string, read: () => Promise<SnapshotManifest[]>): Promise<void> => {
    try {
      const snapshots = await read();
      await connection.run(`CREATE VIEW ${quoteIdentifier(view)} AS ${viewSql(snapshots, uriOf)}`);
      for (const file of filesOf(snapshots, uriOf)) files.add(file);
    } catch (error) {
      broken.push({ view, error: asCorrupt(error, view) });
    }
  };
  for (const { view, historyView, snapshots } of datasets) {
    if (mayMean(sql, view))
      await create(view, async () => latestOfEachSource(converted, snapshots));
    if (ownViews.has(historyView) || !mayMean(sql, historyView)) continue;
    await create(historyView, async () =>
      Promise.all(snapshots.map(async (ref) => readSnapshot(converted, ref))),
    );
  }
  await lockDown(connection, [...files]);
  return { broken, known: [...ownViews] };
}

async function lockDown(connection: DuckDBConnection, files: readonly string[]): Promise<void> {
  const paths = files.map((file) => quoteLiteral(file)).join(', ');
  await connection.run(`SET allowed_paths = [${paths}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

/** @throws LonghaulError QUERY_REFUSED for anything but one SELECT (DESCRIBE, SUMMARIZE and SHOW are some). */
async function prepareOne(
  connection: DuckDBConnection,
  sql: string,
): Promise<DuckDBPreparedStatement> {
  if (sql.includes('\0')) throw refused('The query has a NUL character.');
  const extracted = await failing(async () => connection.extractStatements(sql));
  if (extracted.count !== 1) throw refused(`The query has ${extracted.count} statements, not one.`);
  const statement = await failing(async () => extracted.prepare(0));
  if (statement.statementType !== StatementType.SELECT) {
    throw refused(`The query is of the kind ${kindOf(statement)}; only SELECT may run.`);
  }
  return statement;
}

function kindOf(statement: DuckDBPreparedStatement): string {
  return (StatementType as Record<number, string>)[statement.statementType] ?? 'unknown';
}

async function failing<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw asQueryError(error);
  }
}

function asQueryError(error: unknown): unknown {
  if (error instanceof LonghaulError || !(error instanceof Error)) return error;
  // The system's, from writing the result out: a closed pipe is no fault of the query.
  if ('code' in error) return error;
  const message = printableLines(error.message);
  if (/^(?:Failed to extract statements: )?Permission Error/.test(error.message)) {
    return refused(`The query reaches outside the lake: ${message}`, error);
  }
  // What DuckDB's binding says of a text without any statement.
  if (error.message === 'Error in native callback') return refused('The query is empty.', error);
  return new LonghaulError('QUERY_FAILED', message, {}, { cause: error });
}

function refused(message: string, cause?: unknown): LonghaulError {
  return new LonghaulError('QUERY_REFUSED', message, {}, { cause });
}

/** DuckDB points at the place with a caret on a line of its own: line ends stay. */
function printableLines(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line))
    .join('\n')
    .trimEnd();
}

function asCorrupt(error: unknown, view: string): LonghaulError {
  if (error instanceof LonghaulError) return error;
  const why = error instanceof Error ? printable(error.message.split('\n')[0] ?? '') : '';
  return new LonghaulError(
    'LAKE_CORRUPT',
    `The files of ${view} cannot be read: ${why}`,
    {},
    { cause: error },
  );
}

/**
 * A view costs a read of its manifests and of a footer, a history one of every day: only queries that may mean
 * it pay. Names are plain ASCII, so whoever means one writes it, lists the catalogue, or makes names up as it goes.
 */
function mayMean(sql: string, view: string): boolean {
  return mentions(sql, view) || /show|information_schema|duckdb_|pg_|sqlite_|query/i.test(sql);
}

function mentions(sql: string, view: string): boolean {
  return sql.toLowerCase().includes(view);
}
