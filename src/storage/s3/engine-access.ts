import type { S3Settings } from '../../config/settings.ts';
import { LonghaulError } from '../../model/errors.ts';
import { quoteLiteral } from '../../model/names.ts';
import { s3ClientOf } from './client.ts';
import { s3Error } from './errors.ts';

/** Credentials that expire sooner are renewed first, because a converter keeps its credentials until its work ends. */
const MIN_LIFETIME_MS = 15 * 60_000;

/** The address and present credentials with which another program reaches the store as this process does. */
export interface S3Session {
  /** The configured endpoint, else that of AWS for the partition, with FIPS and dual stack if they are set. */
  endpoint: URL;
  region: string;
  /** Whether the path of an address, and not the host, names the bucket. */
  byPath: boolean;
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string | undefined };
}

/** @throws LonghaulError STORE_CREDENTIALS, STORE_WRONG_REGION. */
export async function s3Session(settings: S3Settings): Promise<S3Session> {
  const { bucket, pathStyle } = settings;
  const { config } = s3ClientOf(settings);
  try {
    const region = await config.region();
    const { url: endpoint } = config.endpointProvider({
      Region: region,
      UseFIPS: await config.useFipsEndpoint(),
      UseDualStack: await config.useDualstackEndpoint(),
      ForcePathStyle: true,
      Endpoint: await config.serviceConfiguredEndpoint?.(),
    });
    const known = await config.credentials();
    const lasts = (known.expiration?.getTime() ?? Infinity) - Date.now() > MIN_LIFETIME_MS;
    const credentials = lasts ? known : await config.credentials({ forceRefresh: true });
    // The SDK does the same: a host with a dot in the bucket's name would not match the store's certificate.
    return { endpoint, region, byPath: pathStyle || bucket.includes('.'), credentials };
  } catch (error) {
    throw s3Error(error, { permission: 'GetObject', bucket });
  }
}

/** DuckDB's retries of a request take about 12 s: the first at once, then `RETRY_WAIT_MS`, doubled each time. */
const RETRIES = 7;
const RETRY_WAIT_MS = 200;
/** When httpfs is loaded, it copies the environment's credentials into settings, where any query could read them. */
const ENVIRONMENT_COPIES = ['s3_access_key_id', 's3_secret_access_key', 's3_session_token'];

/** An object that runs SQL: a `DuckDBConnection`. */
export interface SqlRunner {
  run(sql: string): Promise<unknown>;
}

export interface DuckDbS3Access {
  settings: S3Settings;
  /** Path of `httpfs.duckdb_extension`, built for this version of DuckDB. */
  httpfsPath: string;
}

/**
 * Lets a DuckDB connection open `s3://` addresses of the lake: loads httpfs, and creates a secret with the present
 * credentials for this bucket alone. Neither an error nor its cause shows a statement with credentials.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED if the extension cannot be loaded, STORE_CREDENTIALS.
 */
export async function openDuckDbS3(
  connection: SqlRunner,
  { settings, httpfsPath }: DuckDbS3Access,
): Promise<void> {
  const secret = await secretSql(settings);
  await connection.run(`LOAD ${quoteLiteral(httpfsPath)}`).catch((error: unknown) => {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : '';
    throw new LonghaulError(
      'PROGRAM_NOT_INSTALLED',
      `DuckDB cannot load its extension httpfs: ${why}`,
      { hint: 'DUCKDB_HTTPFS must name the httpfs extension of this very version of DuckDB.' },
      { cause: error },
    );
  });
  const timeoutSeconds = Math.max(1, Math.ceil(settings.stallTimeoutMs / 1000));
  try {
    for (const sql of [
      ...ENVIRONMENT_COPIES.map((name) => `SET GLOBAL ${name} = ''`),
      `SET http_timeout = ${timeoutSeconds}`,
      `SET http_retries = ${RETRIES}`,
      `SET http_retry_wait_ms = ${RETRY_WAIT_MS}`,
      'SET http_retry_backoff = 2',
      secret,
    ]) {
      await connection.run(sql);
    }
  } catch {
    // The error has no cause, because DuckDB quotes the statement in its errors.
    const message = 'DuckDB does not accept the S3 credentials or the endpoint.';
    throw new LonghaulError('STORE_CREDENTIALS', message);
  }
}

async function secretSql(settings: S3Settings): Promise<string> {
  const { bucket, kmsKeyId } = settings;
  const { endpoint, region, byPath, credentials } = await s3Session(settings);
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const host = endpoint.host + endpoint.pathname.replace(/\/$/, '');
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
  return `CREATE OR REPLACE TEMPORARY SECRET longhaul_s3 (${values.join(', ')})`;
}

/** The settings with which Spark reaches a bucket through Hadoop's S3A. */
export interface S3aAccess {
  /** Spark's settings for the store, without credentials. */
  conf: Record<string, string>;
  /** The credentials, for the environment of the child process alone. */
  env: Record<string, string>;
}

/**
 * Returns the settings with which Spark reaches the store as this process does, with the present credentials.
 * @param classPath of Hadoop's jars for S3.
 * @throws LonghaulError STORE_CREDENTIALS, STORE_WRONG_REGION.
 */
export async function s3aAccess(settings: S3Settings, classPath: string): Promise<S3aAccess> {
  const { endpoint, region, byPath, credentials } = await s3Session(settings);
  const s3a: Record<string, string> = {
    endpoint: endpoint.origin + endpoint.pathname.replace(/\/$/, ''),
    'endpoint.region': region,
    'path.style.access': String(byPath),
    'connection.ssl.enabled': String(endpoint.protocol === 'https:'),
    'aws.credentials.provider': ENVIRONMENT_CREDENTIALS,
    'attempts.maximum': ATTEMPTS,
    'connection.establish.timeout': `${settings.connectTimeoutMs}`,
    'connection.timeout': `${settings.stallTimeoutMs}`,
    // Parts of a written file wait in memory, so that a lake in S3 needs no disk for them.
    'fast.upload.buffer': 'bytebuffer',
    ...(settings.kmsKeyId !== undefined && {
      'encryption.algorithm': 'SSE-KMS',
      'encryption.key': settings.kmsKeyId,
    }),
  };
  const hadoop = Object.entries(s3a).map(([key, value]) => [`spark.hadoop.fs.s3a.${key}`, value]);
  return {
    conf: {
      'spark.driver.extraClassPath': classPath,
      'spark.executor.extraClassPath': classPath,
      ...(Object.fromEntries(hadoop) as Record<string, string>),
    },
    env: {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      // Empty means none. An older token in this process's environment must not stay.
      AWS_SESSION_TOKEN: credentials.sessionToken ?? '',
      AWS_REGION: region,
    },
  };
}

const ENVIRONMENT_CREDENTIALS =
  'software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider';
/** Tries of one request, with S3A's own backoff. The other engines make as many. */
const ATTEMPTS = '8';
