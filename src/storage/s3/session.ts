import type { S3Settings } from '../../config/settings.ts';
import { s3ClientOf } from './client.ts';
import { s3Error } from './errors.ts';

/** Credentials that end sooner are renewed first: a converter keeps what it is given for as long as its work takes. */
const MIN_LIFETIME_MS = 15 * 60_000;

/** How a program that is not the SDK reaches the store as this process does. */
export interface S3Session {
  endpoint: URL;
  region: string;
  credentials: S3Credentials;
}

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

/** With credentials as they are now. @throws LonghaulError STORE_CREDENTIALS, STORE_WRONG_REGION. */
export async function s3Session(settings: S3Settings): Promise<S3Session> {
  return { ...(await locate(settings)), credentials: await credentialsOf(settings) };
}

/** Where the SDK finds the store: of a configuration, else of AWS, for its partition and with FIPS and dual stack. */
async function locate(settings: S3Settings): Promise<{ endpoint: URL; region: string }> {
  const { config } = s3ClientOf(settings);
  const region = await config.region().catch((error: unknown) => {
    throw s3Error(error, { permission: 'GetObject', bucket: settings.bucket });
  });
  const configured = await config.serviceConfiguredEndpoint?.();
  const { url } = config.endpointProvider({
    Region: region,
    UseFIPS: await config.useFipsEndpoint(),
    UseDualStack: await config.useDualstackEndpoint(),
    ForcePathStyle: true,
    Endpoint: configured,
  });
  return { endpoint: url, region };
}

async function credentialsOf(settings: S3Settings): Promise<S3Credentials> {
  const { config } = s3ClientOf(settings);
  try {
    const known = await config.credentials();
    const lasts = (known.expiration?.getTime() ?? Infinity) - Date.now() > MIN_LIFETIME_MS;
    return lasts ? known : await config.credentials({ forceRefresh: true });
  } catch (error) {
    throw s3Error(error, { permission: 'GetObject', bucket: settings.bucket });
  }
}
