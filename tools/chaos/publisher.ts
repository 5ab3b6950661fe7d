import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { generate, GENERATED_DATASETS } from '../generate/generate.ts';
import type { Random } from '../generate/random.ts';

/** A source of the publisher: one file in several versions, of which one is served at a time. */
export interface Published {
  id: string;
  /** All versions that may be served, the oldest first. */
  versions: string[];
  manners: Manners;
}

/** Behaviour of a source's server even without faults. */
export interface Manners {
  validator: 'etag' | 'last-modified' | 'none';
  ranges: boolean;
  chunked: boolean;
  /** The address redirects to a signed one, as addresses of S3 and Azure do. */
  redirects: boolean;
}

const VERSIONS = 3;
const KIB = 1024;
/** Small enough for many iterations, and long enough that faults hit every stage. */
const MIN_BYTES = 1500 * KIB;
const MAX_BYTES = 9000 * KIB;
/** Some files are this long, so that the bucket receives uploads of several parts (16 MiB each), too. */
const LONG_BYTES = 40_000 * KIB;
const YEARS = [2013, 2015, 2019, 2020, 2022, 2023, 2024] as const;

/** Makes one to three Denver-shaped sources below a folder. The same random numbers give the same sources. */
export async function publish(
  folder: string,
  random: Random,
  options: { long: boolean },
): Promise<Published[]> {
  const sources: Published[] = [];
  for (let index = 0, count = 1 + random.below(3); index < count; index += 1) {
    const id = `s${index}`;
    await mkdir(join(folder, id), { recursive: true });
    const dataset = random.pick(GENERATED_DATASETS);
    const year = random.pick(YEARS);
    const long = options.long && index === 0 && random.chance(1, 2);
    const versions: string[] = [];
    for (let version = 0; version < VERSIONS; version += 1) {
      const bytes = (long ? LONG_BYTES : MIN_BYTES) + random.below(MAX_BYTES - MIN_BYTES);
      const path = join(folder, id, `v${version}.csv`);
      const seed = random.below(1_000_000);
      const { chunks } = generate({ dataset, year, seed, limit: { bytes } });
      await pipeline(Readable.from(chunks), createWriteStream(path));
      versions.push(path);
    }
    sources.push({ id, versions, manners: mannersOf(random) });
    await serve(folder, id, 0);
  }
  await writeFile(join(folder, 'sources.json'), JSON.stringify(sources));
  return sources;
}

/** Serves this version of a source from the next request on. */
export async function serve(folder: string, id: string, version: number): Promise<void> {
  await writeFile(join(folder, id, 'current'), String(version));
}

function mannersOf(random: Random): Manners {
  return {
    validator: random.pick(['etag', 'etag', 'last-modified', 'none'] as const),
    ranges: random.chance(3, 4),
    chunked: random.chance(1, 4),
    redirects: random.chance(1, 3),
  };
}
