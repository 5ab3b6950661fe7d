/** `npm run generate`: writes a Denver-shaped CSV file, and prints its number of records to standard error. */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import type { GenerateOptions } from './generate.ts';
import { generate, GENERATED_DATASETS } from './generate.ts';
import { parseSize } from './size.ts';

const USAGE = `Usage: npm run --silent generate -- [options] OUT

Writes a CSV file as the City of Denver publishes them, with the quirks of its year. OUT - is standard output.

  --dataset  ${GENERATED_DATASETS.join(' | ')}
  --year     decides columns, encoding, quoting and date formats (2010 to 2030; default 2023)
  --size     whole records up to this size: 500MB, 2GB, 1GiB
  --records  or this many records
  --seed     the same seed gives the same bytes (default 1)

Example: npm run generate -- --dataset denver-311 --year 2023 --size 2GB --seed 1 /tmp/311.csv`;

try {
  const { options, out } = readArguments();
  const file = generate(options);
  const target = out === '-' ? process.stdout : createWriteStream(out);
  await pipeline(Readable.from(file.chunks, { objectMode: true, highWaterMark: 4 }), target);
  console.error(`${file.records} records, ${file.bytes} bytes`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function readArguments(): { options: GenerateOptions; out: string } {
  const { values, positionals } = parseArgs({
    options: {
      dataset: { type: 'string', default: 'denver-311' },
      year: { type: 'string', default: '2023' },
      size: { type: 'string' },
      records: { type: 'string' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  const dataset = GENERATED_DATASETS.find((each) => each === values.dataset);
  const [year, seed] = [wholeNumber(values.year), wholeNumber(values.seed)];
  const records = values.records === undefined ? undefined : wholeNumber(values.records);
  const bytes = values.size === undefined ? undefined : parseSize(values.size);
  const limit = records !== undefined ? { records } : bytes !== undefined ? { bytes } : undefined;
  const [out] = positionals;
  if (values.help || !dataset || !year || seed === undefined || !limit || out === undefined) {
    throw new Error(USAGE);
  }
  if (year < 2010 || year > 2030) throw new Error(`${year} is no year of 2010 to 2030.`);
  return { options: { dataset, year, seed, limit }, out };
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}
