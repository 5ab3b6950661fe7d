import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { nearest, shown, type Note, type Problem } from './problems.ts';
import { SETTING_KEYS } from './setting-keys.ts';
import { GRPC_META_PREFIX, LIBRARY_KEYS } from './temporal-settings.ts';

export interface EnvEntry {
  value: string;
  /** The place of the value: `.env:3` or `environment`. */
  where: string;
}

/** The environment, and the folder with `.env`, from which relative paths of the settings start. */
export interface SettingsSource {
  env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  cwd: string;
}

export const ENV_FILE = '.env';

export interface EnvFile {
  entries: Map<string, EnvEntry>;
  problems: Problem[];
}

/**
 * Reads the folder's `.env`. An absent file counts as empty. An unknown key is a problem if it is nearly a known key.
 * Keys of other programs (AWS_PROFILE) are ignored.
 */
export function readEnvFile(cwd: string): EnvFile {
  const text = readIfPresent(join(cwd, ENV_FILE));
  if (text === undefined) return { entries: new Map(), problems: [] };
  const entries = new Map<string, EnvEntry>();
  const problems: Problem[] = [];
  for (const [key, value] of Object.entries(parse(text))) {
    const where = `${ENV_FILE}:${lineOf(text, key)}`;
    entries.set(key, { value, where });
    const problem = problemOfKey(key);
    if (problem) problems.push({ where, message: problem });
  }
  return { entries, problems };
}

const OUR_PREFIXES = /^(?:LONGHAUL|TEMPORAL|DUCKDB|HEARTBEAT|DATASETS?|LAKE|S3|STATE|WORKER)_/;

const KNOWN_KEYS: readonly string[] = [...Object.keys(SETTING_KEYS), ...LIBRARY_KEYS];
/** `LAKE` is left out, because `LANG`, `NAME` and `MAKE` differ from it as little as a misspelt key does. */
const TELLING_KEYS = KNOWN_KEYS.filter((key) => key !== 'LAKE');

function problemOfKey(key: string): string | undefined {
  if (KNOWN_KEYS.includes(key) || key.startsWith(GRPC_META_PREFIX)) return undefined;
  // `noteOldKeys` reports this key.
  if (OLD_LAKE_KEYS.includes(key)) return undefined;
  const meant = nearest(key, TELLING_KEYS);
  if (meant) return `${shown(key)} is not a setting; did you mean ${meant}?`;
  if (!OUR_PREFIXES.test(key)) return undefined;
  return `${shown(key)} is not a setting; .env.example lists them all`;
}

/**
 * Whether a publisher's secret must not have this name: it could be a misspelt setting, or the operator's own
 * credentials.
 */
export function looksLikeSetting(key: string): boolean {
  if (KNOWN_KEYS.includes(key) || OLD_LAKE_KEYS.includes(key) || key.startsWith('AWS_'))
    return true;
  return problemOfKey(key) !== undefined;
}

/** Returns the last line that sets the key, because the last one counts. */
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

/** Keys that the key LAKE has replaced. */
const OLD_LAKE_KEYS: readonly string[] = [
  ...['LONGHAUL_TARGET', 'DATA_DIR', 'S3_BUCKET', 'S3_RAW_PREFIX', 'S3_CONVERTED_PREFIX'],
];

/** Notes each old key that is set, because the lake would lie elsewhere without it. */
export function noteOldKeys(entries: EnvFile['entries'], note: Note): void {
  for (const key of OLD_LAKE_KEYS) {
    const { value } = entries.get(key) ?? {};
    if (value === undefined) continue;
    const instead = entries.has('LAKE')
      ? 'LAKE says where the lake is'
      : 'write LAKE=<folder>, or LAKE=s3://<bucket>/<prefix>';
    note(`${key}=${shown(value)} is no setting any more: remove it; ${instead}`, key);
  }
}

/** Keys that together are one identity. A token from one place with a key from another is not valid. */
const IDENTITY: readonly string[] = [
  ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'],
];

/**
 * Returns the AWS_ keys of `.env` that the environment lacks, for the AWS SDK, which reads only the environment. If the
 * environment has any key of an identity, all keys of the identity come from the environment.
 */
export function awsOfFile(
  file: EnvFile['entries'],
  env: SettingsSource['env'],
): Record<string, string> {
  const hasIdentity = IDENTITY.some((key) => env[key] !== undefined);
  const found: Record<string, string> = {};
  for (const [key, { value }] of file) {
    const isOurs = env[key] !== undefined || (hasIdentity && IDENTITY.includes(key));
    if (key.startsWith('AWS_') && value !== '' && !isOurs) found[key] = value;
  }
  return found;
}
