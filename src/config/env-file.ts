import { readFileSync } from 'node:fs';
import { parse } from 'dotenv';
import { nearest, shown, type Problem } from './problems.ts';
import { SETTING_KEYS } from './setting-keys.ts';
import { GRPC_META_PREFIX, LIBRARY_KEYS } from './temporal-settings.ts';

export interface EnvEntry {
  value: string;
  /** `.env:3` or `environment`. */
  where: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvFile {
  entries: Map<string, EnvEntry>;
  problems: Problem[];
}

/**
 * Reads a `.env` file; one that is absent is empty. A key that is not known, but is so near to one that it must
 * be a slip, is a problem; other programs' keys (AWS_PROFILE) are left alone.
 * @param label how messages name the file.
 */
export function readEnvFile(path: string, label: string): EnvFile {
  const text = readIfPresent(path);
  if (text === undefined) return { entries: new Map(), problems: [] };
  const entries = new Map<string, EnvEntry>();
  const problems: Problem[] = [];
  for (const [key, value] of Object.entries(parse(text))) {
    const where = `${label}:${lineOf(text, key)}`;
    entries.set(key, { value, where });
    const problem = problemOfKey(key);
    if (problem) problems.push({ where, message: problem });
  }
  return { entries, problems };
}

const OUR_PREFIXES = /^(?:LONGHAUL|TEMPORAL|DUCKDB|HEARTBEAT|DATASETS?|LAKE|S3|STATE|WORKER)_/;

const KNOWN_KEYS: readonly string[] = [...Object.keys(SETTING_KEYS), ...LIBRARY_KEYS];
/** `LANG`, `NAME` and `MAKE` are as near to `LAKE` as a slip would be. */
const TELLING_KEYS = KNOWN_KEYS.filter((key) => key !== 'LAKE');

function problemOfKey(key: string): string | undefined {
  if (KNOWN_KEYS.includes(key) || key.startsWith(GRPC_META_PREFIX)) return undefined;
  // Its problem names the line to write instead.
  if (OLD_LAKE_KEYS.includes(key)) return undefined;
  const meant = nearest(key, TELLING_KEYS);
  if (meant) return `${shown(key)} is not a setting; did you mean ${meant}?`;
  if (!OUR_PREFIXES.test(key)) return undefined;
  return `${shown(key)} is not a setting; .env.example lists them all`;
}

/** Names that a publisher's secret must not have: it would be reported as a misspelt setting, or send our own credentials to the publisher. */
export function looksLikeSetting(key: string): boolean {
  if (KNOWN_KEYS.includes(key) || OLD_LAKE_KEYS.includes(key) || key.startsWith('AWS_'))
    return true;
  return problemOfKey(key) !== undefined;
}

/** The last line that sets the key, as the last one wins. */
function lineOf(text: string, key: string): number {
  const escaped = key.replaceAll(/[.\\]/g, String.raw`\$&`);
  const setsKey = new RegExp(`^\\s*(?:export\\s+)?${escaped}\\s*[=:]`);
  return text.split(/\r\n|\r|\n/).findLastIndex((line) => setsKey.test(line)) + 1;
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Keys that LAKE has replaced. */
const OLD_LAKE_KEYS: readonly string[] = [
  ...['LONGHAUL_TARGET', 'DATA_DIR', 'S3_BUCKET', 'S3_RAW_PREFIX', 'S3_CONVERTED_PREFIX'],
];

/** One for each of these keys that is set, with the line to write instead. */
export function problemsOfOldKeys(entryOf: (key: string) => EnvEntry | undefined): Problem[] {
  const valueOf = (key: string): string => entryOf(key)?.value ?? '';
  const instead =
    valueOf('LAKE') === '' ? `write LAKE=${lakeOfOldKeys(valueOf)}` : 'LAKE says where the lake is';
  return OLD_LAKE_KEYS.flatMap((key) => {
    const entry = entryOf(key);
    if (!entry || entry.value === '') return [];
    const message = `${key}=${shown(entry.value)} is no setting any more: remove it; ${instead}`;
    return [{ where: entry.where, message }];
  });
}

/** Where the lake was by these keys. Zones under other names than today's two have to be moved. */
function lakeOfOldKeys(valueOf: (key: string) => string): string {
  const bucket = valueOf('S3_BUCKET').replace(/^s3:\/\//, '');
  const target = valueOf('LONGHAUL_TARGET');
  const isDisk = target === 'disk' || (target === '' && valueOf('DATA_DIR') !== '');
  if (isDisk || (bucket === '' && target !== 's3')) return valueOf('DATA_DIR') || 'data';
  const raw = valueOf('S3_RAW_PREFIX') || valueOf('S3_CONVERTED_PREFIX');
  const folders = raw.split('/').filter((name) => name !== '');
  return ['s3:/', bucket.replace(/\/+$/, '') || 'my-bucket', ...folders.slice(0, -1)].join('/');
}

/** Keys that mean one identity together: a token from one source with a key from another is valid nowhere. */
const IDENTITY: readonly string[] = [
  ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'],
];

/**
 * What `.env` has for the AWS SDK, which reads the environment only: every AWS_ key that the environment lacks. Where
 * the environment has any of an identity, all of it is the environment's.
 */
export function awsOfFile(file: EnvFile['entries'], env: Environment): Record<string, string> {
  const hasIdentity = IDENTITY.some((key) => env[key] !== undefined);
  const found: Record<string, string> = {};
  for (const [key, { value }] of file) {
    const isOurs = env[key] !== undefined || (hasIdentity && IDENTITY.includes(key));
    if (key.startsWith('AWS_') && value !== '' && !isOurs) found[key] = value;
  }
  return found;
}

/** As every AWS SDK reads it; undefined for AWS itself. */
export function endpointOf(file: EnvFile['entries'], env: Environment): string | undefined {
  for (const key of ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL']) {
    const value = env[key] ?? file.get(key)?.value;
    if (value) return value;
  }
  return undefined;
}
