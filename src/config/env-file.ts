import { readFileSync } from 'node:fs';
import { parse } from 'dotenv';
import { nearest, shown, type Problem } from './problems.ts';
import { isOldLakeKey } from './old-lake-keys.ts';
import { SETTING_KEYS } from './setting-keys.ts';
import { GRPC_META_PREFIX, LIBRARY_KEYS } from './temporal-settings.ts';

export interface EnvEntry {
  value: string;
  /** `.env:3` or `environment`. */
  where: string;
}

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
  if (isOldLakeKey(key)) return undefined;
  const meant = nearest(key, TELLING_KEYS);
  if (meant) return `${shown(key)} is not a setting; did you mean ${meant}?`;
  if (!OUR_PREFIXES.test(key)) return undefined;
  return `${shown(key)} is not a setting; .env.example lists them all`;
}

/** Names that a publisher's secret must not have: it would be reported as a misspelt setting, or send our own credentials to the publisher. */
export function looksLikeSetting(key: string): boolean {
  if (KNOWN_KEYS.includes(key) || isOldLakeKey(key) || key.startsWith('AWS_')) return true;
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
