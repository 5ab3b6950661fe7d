import { rm } from 'node:fs/promises';
import { DuckDBInstance, StatementType } from '@duckdb/node-api';
import type { DuckDBConnection, DuckDBPreparedStatement, DuckDBResult } from '@duckdb/node-api';
import type { S3Settings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import { temporaryPath } from '../storage/temporary-folder.ts';
import { createViews, mentions } from './create-views.ts';
import { refuseSideDoors, shutDoors } from './doors.ts';
import { asQueryError, refused, type StoreErrorOf } from './query-errors.ts';

export interface QueryOptions {
  converted: Store;
  duckdb: { memoryLimit: string; threads: number };
  /** Where the converted zone is in S3. `httpfsPath`: DuckDB's extension that reads it. */
  s3?: { settings: S3Settings; httpfsPath: string };
}

/**
 * Runs one SELECT over the views of everything that is published and hands its result to `use`; the result is
 * good until `use` ends.
 * @param options.stream false: the whole result is there before `use` starts, so no error comes after it.
 * @throws LonghaulError QUERY_REFUSED, QUERY_FAILED, LAKE_CORRUPT, STORE_… of S3.
 */
export async function query<T>(
  sql: string,
  options: QueryOptions & { stream: boolean },
  use: (result: DuckDBResult) => Promise<T>,
): Promise<T> {
  // DuckDB makes it when it first spills: a query that is cut off (`| head`) leaves nothing otherwise.
  const spillFolder = await temporaryPath();
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
    const storeError = await openStore(connection, options.s3);
    const views = await createViews(connection, options.converted, sql, storeError);
    await shutDoors(connection, views.files);
    const failing = async <R>(act: () => Promise<R>): Promise<R> => {
      try {
        return await act();
      } catch (error) {
        throw asQueryError(error, storeError);
      }
    };
    const statement = await failing(async () => prepareOne(connection, sql)).catch(
      (error: unknown) => {
        const broken = views.broken.find(({ view }) => mentions(sql, view));
        throw broken?.error ?? withViews(error, views.known);
      },
    );
    return await failing(async () =>
      use(options.stream ? await statement.stream() : await statement.run()),
    );
  } finally {
    instance.closeSync();
    await rm(spillFolder, { recursive: true, force: true });
  }
}

/** Lets DuckDB reach the bucket, and says how its words about S3 are to be read. A lake on disk loads nothing of it. */
async function openStore(
  connection: DuckDBConnection,
  s3: QueryOptions['s3'],
): Promise<StoreErrorOf> {
  if (!s3) return () => undefined;
  const { duckDbS3Statements, runS3Setup } = await import('../storage/s3/duckdb.ts');
  const { duckDbS3Error } = await import('../storage/s3/duckdb-errors.ts');
  const { settings, httpfsPath } = s3;
  await runS3Setup(connection, await duckDbS3Statements(settings, httpfsPath));
  return (message) => duckDbS3Error(message, settings.bucket);
}

/** DuckDB sees only the views that the query names: whoever misspelt one is told them all. */
function withViews(error: unknown, views: readonly string[]): unknown {
  if (!(error instanceof LonghaulError) || !error.message.startsWith('Catalog Error')) return error;
  const list = views.length > 0 ? `The views are ${views.join(', ')}` : 'Nothing is published yet';
  const hint = `${list}; each has a …_history with every snapshot. DESCRIBE <view> lists its columns.`;
  return new LonghaulError(error.code, error.message, { hint }, { cause: error.cause });
}

/** @throws LonghaulError QUERY_REFUSED for anything but one SELECT (DESCRIBE, SUMMARIZE and SHOW are some). */
async function prepareOne(
  connection: DuckDBConnection,
  sql: string,
): Promise<DuckDBPreparedStatement> {
  if (sql.includes('\0')) throw refused('The query has a NUL character.');
  const extracted = await connection.extractStatements(sql);
  if (extracted.count !== 1) throw refused(`The query has ${extracted.count} statements, not one.`);
  const statement = await extracted.prepare(0);
  if (statement.statementType !== StatementType.SELECT) {
    throw refused(`The query is of the kind ${kindOf(statement)}; only SELECT may run.`);
  }
  await refuseSideDoors(connection, sql);
  return statement;
}

function kindOf(statement: DuckDBPreparedStatement): string {
  return (StatementType as Record<number, string>)[statement.statementType] ?? 'unknown';
}
