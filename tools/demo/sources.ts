import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { GeneratedDataset } from '../generate/generate.ts';
import { generate } from '../generate/generate.ts';

export const DEMO_DATASETS = ['denver-311', 'denver-traffic-accidents'] as const;

/** Years whose headers, encodings and quoting differ. */
const YEARS = {
  'denver-311': [2015, 2019, 2021, 2023, 2024, 2025],
  'denver-traffic-accidents': [2014, 2020, 2023],
} as const satisfies Partial<Record<GeneratedDataset, number[]>>;

/** The seed is the same each time, so that a second run on the same day finds the same bytes. */
const SEED = 1;

export interface SourceFile {
  dataset: keyof typeof YEARS;
  year: number;
  /** Path of the address, and of the file below the origin's folder. */
  path: string;
}

/** Writes the files, unless an earlier demo has left them. */
export async function makeSourceFiles(folder: string, bytes: number): Promise<SourceFile[]> {
  const files = DEMO_DATASETS.flatMap((dataset) =>
    YEARS[dataset].map((year) => ({ dataset, year, path: `${dataset}/${dataset}_${year}.csv` })),
  );
  const label = JSON.stringify({ files, bytes, seed: SEED });
  const labelFile = `${folder}.json`;
  if ((await readFile(labelFile, 'utf8').catch(() => '')) === label) {
    console.log('  an earlier demo made them');
    return files;
  }
  await rm(folder, { recursive: true, force: true });
  for (const file of files) {
    const records = await makeFile(join(folder, file.path), file, bytes);
    console.log(`  ${file.path}: ${records} records`);
  }
  await writeFile(labelFile, label);
  return files;
}

/** Writes a datasets.yaml with the origin's addresses. Their port differs each time, which has no effect. */
export async function makeDatasetsFile(
  path: string,
  originUrl: string,
  files: readonly SourceFile[],
): Promise<void> {
  const datasets = DEMO_DATASETS.map((dataset) => {
    const sources = files
      .filter((file) => file.dataset === dataset)
      .map((file) => `      - id: "${file.year}"\n        address: ${originUrl}/${file.path}`);
    return `  ${dataset}:\n    time_zone: America/Denver\n    sources:\n${sources.join('\n')}`;
  });
  const text = `# Made by npm run demo.\ndatasets:\n${datasets.join('\n')}\n`;
  await writeFile(`${path}.tmp`, text);
  await rename(`${path}.tmp`, path);
}

async function makeFile(path: string, file: SourceFile, bytes: number): Promise<number> {
  await mkdir(dirname(path), { recursive: true });
  const { dataset, year } = file;
  const made = generate({ dataset, year, seed: SEED, limit: { bytes } });
  await pipeline(Readable.from(made.chunks), createWriteStream(path));
  return made.records;
}
