import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteLiteral } from '../model/names.ts';
import { refused } from './query-errors.ts';

/**
 * Nothing but the manifests' own files can be opened after this, by name: not even the rest of the lake, on disk or
 * in the bucket, and nothing else over HTTP (`EXPORT DATABASE` makes its folder while it is merely prepared).
 */
export async function shutDoors(
  connection: DuckDBConnection,
  files: readonly string[],
): Promise<void> {
  const paths = files.map((file) => quoteLiteral(file)).join(', ');
  await connection.run(`SET allowed_paths = [${paths}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

/**
 * Some table functions change how DuckDB works although a SELECT calls them and the configuration is locked: a log of
 * its HTTP requests would show their signatures and session token. The plan says which functions a statement calls;
 * its text does not have to (`query('FROM ' || …)`).
 * @param sql one SELECT.
 * @throws LonghaulError QUERY_REFUSED.
 */
export async function refuseSideDoors(connection: DuckDBConnection, sql: string): Promise<void> {
  if (!MAY_CALL_ONE.test(sql)) return;
  const reader = await connection.runAndReadAll(`EXPLAIN (FORMAT json) ${sql}`);
  const called = SIDE_DOOR.exec(JSON.stringify(reader.getRowsJson()))?.[1];
  if (called)
    throw refused(`The query calls ${called.toLowerCase()}, which is no part of a SELECT.`);
}

/** By its name, or as text that becomes SQL. */
const MAY_CALL_ONE = /log|profil|query|json/i;
const SIDE_DOOR =
  /\b((?:EN|DIS)ABLE_(?:LOGGING|PROFILING)|DUCKDB_LOGS|DUCKDB_LOG_CONTEXTS|TRUNCATE_DUCKDB_LOGS)\b/;
