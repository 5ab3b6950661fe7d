import { rm } from 'node:fs/promises';
import { DuckDBInstance, StatementType } from '@duckdb/node-api';
import type { DuckDBConnection, DuckDBPreparedStatement, DuckDBResult } from '@duckdb/node-api';
import { LonghaulError } from '../model/errors.ts';
import { quoteIdentifier, quoteLiteral } from '../model/names.ts';
import type { DuckDbS3Access } from '../storage/s3/engine-access.ts';
import type { Store } from '../storage/store.ts';
import { temporaryPath } from '../storage/temporary-folder.ts';
import { mentions, viewsFor } from './catalogue.ts';
import { asQueryError, asViewError, refused, type StoreErrorOf } from './query-errors.ts';
import { DUCKDB_SQL, viewSql } from './views.ts';

export interface QueryOptions {
  converted: Store;
  duckdb: { memoryLimit: string; threads: number };
  /** Ingest date: every view is as it was on that day. Undefined: every view is as it is now. */
  asOf?: string | undefined;
  /** Access to the bucket if the converted zone is in S3. */
  s3?: DuckDbS3Access;
}

/**
 * Runs one SELECT over the views of everything that is published and gives its result to `use`. The result is valid
 * until `use` ends.
 * @param options.stream false: the whole result exists before `use` starts, so no error comes after that.
 * @throws LonghaulError QUERY_REFUSED, QUERY_FAILED, LAKE_CORRUPT, STORE_… of S3.
 */
export async function query<T>(
  sql: string,
  options: QueryOptions & { stream: boolean },
  use: (result: DuckDBResult) => Promise<T>,
): Promise<T> {
  // DuckDB makes this folder when it first spills. A query that is cut off earlier (`| head`) leaves no folder.
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
    const views = await createViews(connection, options, sql, storeError);
    await sandbox(connection, views.files);
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
        throw broken?.error ?? withHint(error, views.hint);
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

/** Lets DuckDB reach the bucket. @returns how to read its errors about S3. A lake on disk loads no code for S3. */
async function openStore(
  connection: DuckDBConnection,
  s3: QueryOptions['s3'],
): Promise<StoreErrorOf> {
  if (!s3) return () => undefined;
  const { openDuckDbS3 } = await import('../storage/s3/engine-access.ts');
  const { duckDbS3Error } = await import('../storage/s3/engine-errors.ts');
  await openDuckDbS3(connection, s3);
  return (message) => duckDbS3Error(message, s3.settings.bucket);
}

interface CreatedViews {
  /** Every file that the views read, as DuckDB opens it. */
  files: Set<string>;
  /** Views that could not be made. They are an error only for a query that names them. */
  broken: { view: string; error: LonghaulError }[];
  /** Hint for a query whose view does not exist. */
  hint: string;
}

async function createViews(
  connection: DuckDBConnection,
  { converted, asOf }: QueryOptions,
  sql: string,
  storeError: StoreErrorOf,
): Promise<CreatedViews> {
  const { wanted, hint } = await viewsFor(converted, sql, asOf);
  const created: CreatedViews = { files: new Set(), broken: [], hint };
  for (const { view, entries } of wanted) {
    const files: string[] = [];
    const tableOf = (keys: string[]): string => {
      const uris = keys.map((key) => converted.uri(key));
      files.push(...uris);
      return `read_parquet([${uris.map(quoteLiteral).join(', ')}], hive_partitioning = false)`;
    };
    try {
      const select = viewSql(await entries(), DUCKDB_SQL, tableOf);
      await connection.run(`CREATE VIEW ${quoteIdentifier(view)} AS ${select}`);
      for (const file of files) created.files.add(file);
    } catch (error) {
      created.broken.push({ view, error: asViewError(error, view, storeError) });
    }
  }
  return created;
}

/** DuckDB sees only the views that the query names. The hint for a misspelt view lists all of them. */
function withHint(error: unknown, hint: string): unknown {
  if (!(error instanceof LonghaulError) || !error.message.startsWith('Catalog Error')) return error;
  return new LonghaulError(error.code, error.message, { hint }, { cause: error.cause });
}

/** @throws LonghaulError QUERY_REFUSED for anything but one SELECT (DESCRIBE, SUMMARIZE and SHOW count as SELECT). */
async function prepareOne(
  connection: DuckDBConnection,
  sql: string,
): Promise<DuckDBPreparedStatement> {
  if (sql.includes('\0')) throw refused('The query has a NUL character.');
  const extracted = await connection.extractStatements(sql);
  if (extracted.count !== 1) throw refused(`The query has ${extracted.count} statements, not one.`);
  const statement = await extracted.prepare(0);
  if (statement.statementType !== StatementType.SELECT) {
    const kind = (StatementType as Record<number, string>)[statement.statementType] ?? 'unknown';
    throw refused(`The query is of the kind ${kind}; only SELECT may run.`);
  }
  await refuseLoggingFunctions(connection, sql);
  return statement;
}

/**
 * After this, DuckDB can open only the files that the manifests name. It can open no other file of the lake, on disk or
 * in the bucket, and nothing over HTTP. (`EXPORT DATABASE` makes its folder already while it is prepared.)
 */
async function sandbox(connection: DuckDBConnection, files: ReadonlySet<string>): Promise<void> {
  const paths = [...files].map(quoteLiteral).join(', ');
  await connection.run(`SET allowed_paths = [${paths}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

/**
 * Some table functions change how DuckDB works, although a SELECT calls them and the configuration is locked. A log of
 * its HTTP requests would show their signatures and session token. The plan says which functions a statement calls; its
 * text may not name them (`query('FROM ' || …)`).
 * @param sql one SELECT.
 * @throws LonghaulError QUERY_REFUSED.
 */
async function refuseLoggingFunctions(connection: DuckDBConnection, sql: string): Promise<void> {
  if (!MAY_CALL_LOGGING.test(sql)) return;
  const reader = await connection.runAndReadAll(`EXPLAIN (FORMAT json) ${sql}`);
  const called = LOGGING_FUNCTION.exec(JSON.stringify(reader.getRowsJson()))?.[1];
  if (called) throw refused(`The query calls ${called.toLowerCase()}, which a query may not use.`);
}

/** A statement that calls such a function has one of these words, in a name or in text that becomes SQL. */
const MAY_CALL_LOGGING = /log|profil|query|json/i;
const LOGGING_FUNCTION =
  /\b((?:EN|DIS)ABLE_(?:LOGGING|PROFILING)|DUCKDB_LOGS|DUCKDB_LOG_CONTEXTS|TRUNCATE_DUCKDB_LOGS)\b/;
