import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { parse } from 'csv-parse/sync';
import { createDuckDbEngine, type JobRunner } from '../../src/conversion/duckdb/engine.ts';
import { jobError } from '../../src/conversion/duckdb/engine.ts';
import { runJob } from '../../src/conversion/duckdb/job.ts';
import type {
  ConversionEngine,
  ConversionOutcome,
  ConversionRequest,
  ReadableFile,
} from '../../src/conversion/engine.ts';
import { inspect, type InspectRequest } from '../../src/conversion/inspect.ts';
import { PART_SIZES, type PartSizes } from '../../src/conversion/parts.ts';
import { toPlainError } from '../../src/conversion/engine-errors.ts';
import { CsvScanner } from '../../src/csv/scanner.ts';
import type { Encoding, SourceOverrides } from '../../src/model/dataset.ts';
import type { CsvScan } from '../../src/model/scan.ts';
import type { Column, Schema } from '../../src/model/schema.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { listUploads } from '../../src/storage/s3/uploads.ts';
import { isInBucket, type Store } from '../../src/storage/store.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

/** A landed file in the form that inspection and engines receive. */
export interface Sample extends ReadableFile {
  store: Store;
  content: Buffer;
}

/** A store that is removed when the test ends. */
export async function scratch(t: TestContext): Promise<DiskStore> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-conversion-'));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  return new DiskStore(folder);
}

interface Landing {
  delimiter?: string | undefined;
  header?: false | undefined;
  sepLineBytes?: number | undefined;
  encoding?: Encoding | undefined;
  /** Bytes between splits. Small files need a small number. */
  spacing?: number | undefined;
}

export async function landed(
  store: Store,
  content: string | Buffer,
  { delimiter = ',', encoding = 'utf-8', spacing, header, sepLineBytes }: Landing = {},
): Promise<Sample> {
  const bytes = Buffer.from(content as string);
  await store.put('sample.csv', bytes);
  return {
    store,
    content: bytes,
    location: store.location('sample.csv'),
    bytes: bytes.length,
    scan: scanOf(bytes, { delimiter, header, sepLineBytes }, encoding, spacing),
    encoding,
  };
}

export function scanOf(
  bytes: Buffer,
  { delimiter, header, sepLineBytes }: Landing & { delimiter: string },
  encoding: Encoding,
  spacing?: number,
): CsvScan {
  const bomBytes = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0;
  const dialect = {
    ...{ delimiter, quote: '"' as const, bomBytes },
    ...(header === false && { header }),
    sepLineBytes,
  };
  const scanner = new CsvScanner(dialect, undefined, spacing);
  scanner.push(bytes);
  return scanner.finish(encoding);
}

export async function inspected(
  sample: Sample,
  overrides: SourceOverrides = {},
  tableTypes?: InspectRequest['tableTypes'],
): Promise<Schema> {
  return await inspect({
    ...sample,
    overrides,
    tableTypes,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
}

/** DuckDB without its child process, which is fast enough for property tests. */
export function inProcessDuckDb(sizes: PartSizes = PART_SIZES): ConversionEngine {
  const run: JobRunner = async (job, _signal, onProgress) => {
    await runJob(job, onProgress).catch((error: unknown) => {
      throw jobError(toPlainError(error), undefined);
    });
  };
  return createDuckDbEngine({ memoryLimit: '1GiB', threads: 2 }, sizes, run);
}

export interface Converted extends ConversionOutcome {
  store: Store;
  prefix: string;
}

export async function converted(
  engine: ConversionEngine,
  sample: Sample,
  options: { overrides?: SourceOverrides; schema?: Schema; name?: string } = {},
): Promise<Converted> {
  const schema = options.schema ?? (await inspected(sample, options.overrides));
  const request = requestOf(sample, schema, options.name);
  const outcome = await engine(request);
  return { ...outcome, store: sample.store, prefix: request.outputPrefix };
}

export function requestOf(sample: Sample, schema: Schema, name = 'out'): ConversionRequest {
  return {
    ...sample,
    schema,
    output: sample.store,
    outputPrefix: `${name}/`,
    scratchPrefix: `${name}-scratch/`,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  };
}

/** Names of the files below a prefix, and of the unfinished uploads there. */
export async function namesBelow(store: Store, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { key } of store.list(prefix)) names.push(key.slice(prefix.length));
  if (isInBucket(store)) {
    for await (const { key } of listUploads(store.s3, prefix)) names.push(`upload of ${key}`);
  }
  return names.toSorted();
}

/** Reads the Parquet files with DuckDB: names, types, and every value in the fixed form of its type. */
export async function readBack({ store, prefix, parts }: Converted): Promise<ReadBack> {
  return await withTempFolder(async (folder) => {
    const paths: string[] = [];
    for (const part of parts) {
      const path = join(folder, part);
      await writeFile(path, (await store.get(prefix + part)) ?? '');
      paths.push(path);
    }
    return await readParquet(paths);
  });
}

/** Stands for a byte order mark at the start of a value, because DuckDB's binding drops the mark. */
const SHOWN_MARK = '(mark)';

interface ReadBack {
  names: string[];
  types: string[];
  rows: (string | null)[][];
}

async function readParquet(paths: readonly string[]): Promise<ReadBack> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const files = `read_parquet([${paths.map((path) => `'${path}'`).join(', ')}])`;
    const described = await connection.runAndReadAll(
      `SELECT column_name, column_type FROM (DESCRIBE FROM ${files})`,
    );
    const columns = described.getRowsJS() as [string, string][];
    const read = await connection.runAndReadAll(
      `SELECT ${columns.map(([name]) => `replace(CAST("${name.replaceAll('"', '""')}" AS VARCHAR), chr(65279), '${SHOWN_MARK}')`).join(', ')} FROM ${files}`,
    );
    return {
      names: columns.map(([name]) => name),
      types: columns.map(([, type]) => type),
      rows: (read.getRowsJS() as (string | null)[][]).map((row) =>
        row.map((value, index) =>
          value !== null && columns[index]?.[1] === 'DOUBLE' ? String(Number(value)) : value,
        ),
      ),
    };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Reads the sample with csv-parse, in the same fixed forms. */
export function expectedRows(sample: Sample, schema: Schema): (string | null)[][] {
  if (sample.scan.records === 0) return [];
  const body = sample.content.subarray(sample.scan.splits[0]);
  const text = sample.encoding === 'utf-8' ? body.toString() : windows1252(body);
  const records = parse(text, {
    delimiter: sample.scan.dialect.delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_quotes: true,
    skip_empty_lines: schema.columns.length > 1,
  });
  return records.map((record) =>
    record.map((value, index) =>
      value === '' ? null : fixedForm(value, schema.columns[index] as Column),
    ),
  );
}

/** Prints the value of a publisher's text: JavaScript prints doubles, DuckDB prints all other types. */
function fixedForm(text: string, column: Column): string {
  switch (column.type) {
    case 'DOUBLE':
      return String(Number(text));
    case 'DATE':
    case 'TIMESTAMP':
      return momentForm(text, column.format ?? '');
    case 'BIGINT':
    case 'VARCHAR':
      return text.replaceAll('\ufeff', SHOWN_MARK);
  }
}

function momentForm(text: string, format: string): string {
  const numbers = text.match(/\d+/g) ?? [];
  const letters = format.match(/%[YmdHIMSf]/g) ?? [];
  const of = Object.fromEntries(letters.map((letter, index) => [letter[1], numbers[index] ?? '']));
  const two = (value: string | number | undefined): string =>
    String(Number(value ?? 0)).padStart(2, '0');
  const day = `${of['Y']}-${two(of['m'])}-${two(of['d'])}`;
  if (!/%[HI]/.test(format)) return day;
  const hour = of['I'] ? (Number(of['I']) % 12) + (text.endsWith('PM') ? 12 : 0) : of['H'];
  const fraction = (of['f'] ?? '').replace(/0+$/, '');
  return `${day} ${two(hour)}:${two(of['M'])}:${two(of['S'])}${fraction ? `.${fraction}` : ''}`;
}

/** Without `stream`, Node 20 takes Windows-1252 for Latin-1. */
function windows1252(bytes: Buffer): string {
  const decoder = new TextDecoder('windows-1252');
  return decoder.decode(bytes, { stream: true }) + decoder.decode();
}
