import type { S3Settings } from '../../config/settings.ts';
import { LonghaulError } from '../../model/errors.ts';
import { quoteLiteral } from '../../model/names.ts';
import { s3ClientOf } from './client.ts';
import { s3Error } from './errors.ts';

/** Credentials that end sooner are renewed first: a converter keeps what it is given for as long as its work takes. */
const MIN_LIFETIME_MS = 15 * 60_000;

/** How a program that is not the SDK reaches the store as this process does, with credentials as they are now. */
export interface S3Session {
  /** Of a configuration, else of AWS, for its partition and with FIPS and dual stack. */
  endpoint: URL;
  region: string;
  /** The bucket is named in the path, and not in the host. */
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
    // As the SDK does it: a dot of the bucket's name would not fit the store's certificate.
    return { endpoint, region, byPath: pathStyle || bucket.includes('.'), credentials };
  } catch (error) {
    throw s3Error(error, { permission: 'GetObject', bucket });
  }
}

/** With `RETRY_WAIT_MS`, doubled each time, 12 s a request; what lasts longer is for Temporal's retries. */
const RETRIES = 7;
const RETRY_WAIT_MS = 200;
/** Loading httpfs copies the credentials of the environment into settings, where any query could read them. */
const ENVIRONMENT_COPIES = ['s3_access_key_id', 's3_secret_access_key', 's3_session_token'];

/** Whatever runs SQL: a `DuckDBConnection`. */
export interface SqlRunner {
  run(sql: string): Promise<unknown>;
}

export interface DuckDbS3Access {
  settings: S3Settings;
  /** Of `httpfs.duckdb_extension`, made for this DuckDB. */
  httpfsPath: string;
}

/**
 * Lets a DuckDB connection open `s3://` addresses of the lake: loads httpfs, and makes a secret, for this bucket alone,
 * of the credentials as they are now. No error shows, or has as its cause, what held the credentials.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED for an extension that cannot be loaded, STORE_CREDENTIALS.
 */
export async function openDuckDbS3(
  connection: SqlRunner,
  { settings, httpfsPath }: DuckDbS3Access,
): Promise<void> {
  const secret = await secretSql(settings);
  await connection.run(`LOAD ${quoteLiteral(httpfsPath)}`).catch((error: unknown) => {
    throw notLoaded(error);
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
    // Without a cause: DuckDB quotes the statement in its errors.
    const message = 'DuckDB takes neither the S3 credentials nor the address as they are.';
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

function notLoaded(cause: unknown): LonghaulError {
  const why = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : '';
  return new LonghaulError(
    'PROGRAM_NOT_INSTALLED',
    `DuckDB cannot load its extension httpfs: ${why}`,
    { hint: 'DUCKDB_HTTPFS must name the httpfs extension of this very version of DuckDB.' },
    { cause },
  );
}

/** How Spark reaches a bucket by Hadoop's S3A. */
export interface S3aAccess {
  /** Spark's settings: where the store is. No credentials. */
  conf: Record<string, string>;
  /** The credentials, for the child's environment alone. */
  env: Record<string, string>;
}

/**
 * As this process reaches it, with credentials as they are now.
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
    // Parts of a file that is written wait in memory: a lake in S3 needs no disk for them.
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
      // Empty is none: an older one of this process's environment must not stay.
      AWS_SESSION_TOKEN: credentials.sessionToken ?? '',
      AWS_REGION: region,
    },
  };
}

const ENVIRONMENT_CREDENTIALS =
  'software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider';
/** Of one request, with S3A's own backoff: as many as the other engines make. */
const ATTEMPTS = '8';
