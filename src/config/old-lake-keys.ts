import type { EnvEntry } from './env-file.ts';
import { shown, type Problem } from './problems.ts';

/** Keys that LAKE has replaced. */
const OLD_LAKE_KEYS = [
  'LONGHAUL_TARGET',
  'DATA_DIR',
  'S3_BUCKET',
  'S3_RAW_PREFIX',
  'S3_CONVERTED_PREFIX',
] as const;

export function isOldLakeKey(key: string): boolean {
  return OLD_LAKE_KEYS.some((each) => each === key);
}

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
