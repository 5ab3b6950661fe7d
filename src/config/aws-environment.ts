import { shownAddress } from '../model/addresses.ts';
import type { S3Settings } from './settings.ts';

type Entries = ReadonlyMap<string, { value: string }>;
type Environment = Readonly<Record<string, string | undefined>>;

/** Keys that mean one identity together: a token of one place with a key of another would be nobody. */
const IDENTITY = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_PROFILE',
] as const;

/**
 * What `.env` has for the AWS SDK, which reads the environment only: every AWS_ key that the environment lacks. Where
 * the environment has any of an identity, all of it is the environment's.
 */
export function awsOfFile(file: Entries, env: Environment): Record<string, string> {
  const hasIdentity = IDENTITY.some((key) => env[key] !== undefined);
  const found: Record<string, string> = {};
  for (const [key, { value }] of file) {
    const isOurs = env[key] !== undefined || (hasIdentity && IDENTITY.some((each) => each === key));
    if (key.startsWith('AWS_') && value !== '' && !isOurs) found[key] = value;
  }
  return found;
}

/** As every AWS SDK reads it; undefined for AWS itself. */
export function endpointOf(file: Entries, env: Environment): string | undefined {
  for (const key of ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL']) {
    const value = env[key] ?? file.get(key)?.value;
    if (value) return value;
  }
  return undefined;
}

/** The lake in S3 in words, without credentials: processes that say the same have the same. */
export function s3PlaceOf(
  s3: S3Settings | undefined,
  endpoint: string | undefined,
): string | undefined {
  if (!s3) return undefined;
  const { bucket, rawPrefix, convertedPrefix } = s3;
  const where = endpoint === undefined ? 'AWS' : shownAddress(endpoint);
  return `s3://${bucket} (${rawPrefix}, ${convertedPrefix}) at ${where}`;
}
