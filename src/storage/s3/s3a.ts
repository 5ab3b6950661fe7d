import type { S3Settings } from '../../config/settings.ts';
import { s3Session } from './client.ts';

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
  const { endpoint, region, credentials } = await s3Session(settings);
  // As the SDK does it: a dot of the bucket's name would not fit the store's certificate.
  const byPath = settings.pathStyle || settings.bucket.includes('.');
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
