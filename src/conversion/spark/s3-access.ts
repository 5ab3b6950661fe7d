import type { S3Settings } from '../../config/settings.ts';
import { locateHadoopJars } from '../../programs/hadoop.ts';

export interface S3Access {
  /** Spark's settings: where the store is. No credentials. */
  conf: Record<string, string>;
  /** The credentials, for the child's environment alone. */
  env: Record<string, string>;
}

/**
 * How Spark reaches the bucket: as this process does, with credentials as they are now.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED without Hadoop's jars for S3, STORE_CREDENTIALS, STORE_WRONG_REGION.
 */
export async function s3Access(
  settings: S3Settings,
  { searchPath, signal }: { searchPath?: string | undefined; signal?: AbortSignal },
): Promise<S3Access> {
  // The SDK, which a conversion on disk does not need.
  const { s3Session } = await import('../../storage/s3/session.ts');
  const jars = await locateHadoopJars('s3a', { searchPath, ...(signal ? { signal } : {}) });
  const { endpoint, region, credentials } = await s3Session(settings);
  const host = endpoint.origin + endpoint.pathname.replace(/\/$/, '');
  // As the SDK does it: a dot of the bucket's name would not fit the store's certificate.
  const byPath = settings.pathStyle || settings.bucket.includes('.');
  const s3a: Record<string, string> = {
    endpoint: host,
    'endpoint.region': region,
    'path.style.access': String(byPath),
    'connection.ssl.enabled': String(endpoint.protocol === 'https:'),
    'aws.credentials.provider': ENVIRONMENT_CREDENTIALS,
    'attempts.maximum': ATTEMPTS,
    'connection.establish.timeout': `${settings.connectTimeoutMs}`,
    'connection.timeout': `${settings.stallTimeoutMs}`,
    // Parts of a file that is written wait in memory: a lake in S3 needs no disk for them.
    'fast.upload.buffer': 'bytebuffer',
  };
  const hadoop = Object.entries(s3a).map(([key, value]) => [`spark.hadoop.fs.s3a.${key}`, value]);
  return {
    conf: {
      'spark.driver.extraClassPath': jars.classPath,
      'spark.executor.extraClassPath': jars.classPath,
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
