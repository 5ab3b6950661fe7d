import type { Check, Finding } from './check.ts';

/** Reading a string. */
const LIMIT_MS = 1000;

export function nodeCheck(version: string): Check {
  return {
    id: 'node',
    title: 'Node',
    limitMs: LIMIT_MS,
    run: async () => await Promise.resolve(nodeFinding(version)),
  };
}

/** As package.json's `engines` has it. */
const OLDEST = { major: 20, minor: 19 } as const;
/** What releases of the AWS SDK after January 2027 need, as the SDK itself says. */
const AWS_SDK_MAJOR = 22;
const RECOMMENDED_MAJOR = 24;

/** @param version `20.20.2`. */
export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor)) {
    return {
      status: 'problem',
      found: `${version} is too old: ${OLDEST.major}.${OLDEST.minor} is the oldest that works`,
      fix: `Install Node ${RECOMMENDED_MAJOR} (https://nodejs.org).`,
    };
  }
  if (major >= RECOMMENDED_MAJOR) return { status: 'ok', found: version };
  const awsSdk =
    major < AWS_SDK_MAJOR
      ? `; releases of the AWS SDK after January 2027 need Node ${AWS_SDK_MAJOR} or later`
      : '';
  return { status: 'ok', found: `${version} (${RECOMMENDED_MAJOR} is recommended)${awsSdk}` };
}
