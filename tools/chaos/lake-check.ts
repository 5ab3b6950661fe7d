import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import type { Published } from './publisher.ts';
import { differenceOfRows } from './rows.ts';

/** A lake as folders, on a disk or in the S3 gateway's own folder. */
export interface LakeFolders {
  raw: string;
  converted: string;
}

/** Fields of a manifest that the checks read. The type is not the product's, so that a fault there cannot hide here. */
interface Manifest {
  sources: { id: string; rawKey: string; rows: number; parquet: { key: string }[] }[];
}

/**
 * Checks that one day was published once, from bytes that were served, with all their rows and no other files.
 * @returns a sentence for each problem.
 */
export async function checkLake(
  lake: LakeFolders,
  dataset: string,
  sources: readonly Published[],
): Promise<string[]> {
  // The dataset's table does not belong to the day.
  const converted = (await filesBelow(lake.converted)).filter((key) => !isOfTable(key));
  const raw = await filesBelow(lake.raw);
  const manifests = converted.filter((key) => /^_manifest.*\.json$/.test(basename(key)));
  const [key = ''] = manifests;
  const folder = dirname(key);
  if (manifests.length !== 1 || dirname(folder) !== dataset || basename(key) !== '_manifest.json') {
    return [`The manifests are [${manifests.join(', ')}], and not one of one day and revision 1.`];
  }
  const text = await readFile(join(lake.converted, key), 'utf8');
  const manifest = JSON.parse(text) as Manifest;
  const named = manifest.sources.map(({ id }) => id);
  const problems = [
    ...leftovers('raw', raw, namedRaw(manifest)),
    ...leftovers('converted', converted, [...manifests, ...namedConverted(manifest, folder)]),
  ];
  if (named.join() !== sources.map(({ id }) => id).join()) {
    problems.push(`The manifest names the sources ${named.join(', ')}.`);
  }
  for (const source of sources) problems.push(...(await checkSource(lake, manifest, source)));
  return problems;
}

function isOfTable(key: string): boolean {
  return key.startsWith('_iceberg/');
}

/** Files of a folder that contain one of the texts. */
export async function filesWith(folder: string, secrets: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const file of await filesBelow(folder)) {
    const bytes = await readFile(join(folder, file)).catch(() => Buffer.alloc(0));
    if (secrets.some((secret) => bytes.includes(secret))) found.push(file);
  }
  return found;
}

async function filesBelow(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();
}

function namedRaw({ sources }: Manifest): string[] {
  return sources.flatMap(({ rawKey }) => [rawKey, `${rawKey}.manifest.json`]);
}

/** Each source's own entry stays beside its files. */
function namedConverted({ sources }: Manifest, folder: string): string[] {
  return sources.flatMap(({ id, parquet }) => [
    ...parquet.map(({ key }) => key),
    `${folder}/source=${id}/_source.json`,
  ]);
}

function leftovers(zone: string, found: readonly string[], named: readonly string[]): string[] {
  const known = new Set(named);
  return found.filter((key) => !known.has(key)).map((key) => `Left in the ${zone} zone: ${key}`);
}

async function checkSource(
  lake: LakeFolders,
  manifest: Manifest,
  { id, versions }: Published,
): Promise<string[]> {
  const entry = manifest.sources.find((each) => each.id === id);
  if (!entry) return [];
  const landed = await readFile(join(lake.raw, entry.rawKey)).catch(() => undefined);
  if (!landed) return [`${id}: the raw file ${entry.rawKey} is not there.`];
  const served = await Promise.all(versions.map(async (path) => await readFile(path)));
  const version = served.findIndex((bytes) => bytes.equals(landed));
  if (version === -1) return [`${id}: the raw bytes are of no version that was served.`];
  const parts = entry.parquet.map(({ key }) => join(lake.converted, key));
  const missing = parts.filter((path) => !existsSync(path));
  if (missing.length > 0) return missing.map((path) => `${id}: ${path} is not there.`);
  const difference = await differenceOfRows(versions[version] ?? '', parts);
  return difference === undefined ? [] : [`${id}: ${difference}`];
}
