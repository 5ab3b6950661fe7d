type Entries = ReadonlyMap<string, { value: string }>;
type Environment = Readonly<Record<string, string | undefined>>;

/** Keys that mean one identity together: a token from one source with a key from another is valid nowhere. */
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
