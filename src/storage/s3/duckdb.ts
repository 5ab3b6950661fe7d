import type { S3Settings } from '../../config/settings.ts';
import { LonghaulError } from '../../model/errors.ts';
import { quoteLiteral } from '../../model/names.ts';
import { s3Session } from './client.ts';

/** With `RETRY_WAIT_MS`, doubled each time, 12 s a request; what lasts longer is for Temporal's retries. */
const RETRIES = 7;
const RETRY_WAIT_MS = 200;
/** Loading httpfs copies the credentials of the environment into settings, where any query could read them. */
const ENVIRONMENT_COPIES = ['s3_access_key_id', 's3_secret_access_key', 's3_session_token'];
const SECRET_NAME = 'longhaul_s3';

/**
 * What a DuckDB connection runs before it opens `s3://` addresses of the lake: loads httpfs, and makes a secret,
 * for this bucket alone, of the credentials as they are now. For `runS3Setup` only: the text holds the credentials.
 * @param httpfsPath of `httpfs.duckdb_extension`, made for this DuckDB.
 * @throws LonghaulError STORE_CREDENTIALS where there are none.
 */
export async function duckDbS3Statements(
  settings: S3Settings,
  httpfsPath: string,
): Promise<string[]> {
  const timeoutSeconds = Math.max(1, Math.ceil(settings.stallTimeoutMs / 1000));
  return [
    `LOAD ${quoteLiteral(httpfsPath)}`,
    ...ENVIRONMENT_COPIES.map((name) => `SET GLOBAL ${name} = ''`),
    `SET http_timeout = ${timeoutSeconds}`,
    `SET http_retries = ${RETRIES}`,
    `SET http_retry_wait_ms = ${RETRY_WAIT_MS}`,
    'SET http_retry_backoff = 2',
    await secretSql(settings),
  ];
}

/** Whatever runs SQL: a `DuckDBConnection`. */
export interface SqlRunner {
  run(sql: string): Promise<unknown>;
}

/**
 * Runs what `duckDbS3Statements` says. No error shows, or has as its cause, what held the credentials.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED for an extension that cannot be loaded, STORE_CREDENTIALS.
 */
export async function runS3Setup(
  connection: SqlRunner,
  statements: readonly string[],
): Promise<void> {
  for (const sql of statements) {
    try {
      await connection.run(sql);
    } catch (error) {
      throw sql.startsWith('LOAD ') ? notLoaded(error) : notPrepared();
    }
  }
}

async function secretSql(settings: S3Settings): Promise<string> {
  const { bucket, kmsKeyId } = settings;
  const { endpoint, region, credentials } = await s3Session(settings);
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const host = endpoint.host + endpoint.pathname.replace(/\/$/, '');
  // As the SDK does it: a dot of the bucket's name would not fit the store's certificate.
  const byPath = settings.pathStyle || bucket.includes('.');
  const values = [
    'TYPE s3',
    `KEY_ID ${quoteLiteral(accessKeyId)}`,
    `SECRET ${quoteLiteral(secretAccessKey)}`,
    ...(sessionToken === undefined ? [] : [`SESSION_TOKEN ${quoteLiteral(sessionToken)}`]),
    ...(kmsKeyId === undefined ? [] : [`KMS_KEY_ID ${quoteLiteral(kmsKeyId)}`]),
    `REGION ${quoteLiteral(region)}`,
    `ENDPOINT ${quoteLiteral(host)}`,
    `URL_STYLE '${byPath ? 'path' : 'vhost'}'`,
    `USE_SSL ${endpoint.protocol === 'https:'}`,
    `SCOPE ${quoteLiteral(`s3://${bucket}/`)}`,
  ];
  return `CREATE OR REPLACE TEMPORARY SECRET ${SECRET_NAME} (${values.join(', ')})`;
}

function notLoaded(cause: unknown): LonghaulError {
  const why = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : '';
  return new LonghaulError(
    'PROGRAM_NOT_INSTALLED',
    `DuckDB cannot load its extension httpfs: ${why}`,
    { hint: 'DUCKDB_HTTPFS must name the httpfs extension of this very version of DuckDB.' },
    { cause },
  );
}

/** Without a cause: DuckDB quotes the statement in its errors. */
function notPrepared(): LonghaulError {
  const message = 'DuckDB takes neither the S3 credentials nor the address as they are.';
  return new LonghaulError('STORE_CREDENTIALS', message);
}
