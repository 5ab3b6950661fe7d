import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { parse } from 'csv-parse/sync';
import type { ConversionEngine, ConversionOutcome } from '../../src/conversion/engine.ts';
import { runJob } from '../../src/conversion/duckdb/job.ts';
import { planJob } from '../../src/conversion/duckdb/plan.ts';
import { inspect } from '../../src/conversion/inspect.ts';
import { CsvScanner } from '../../src/landing/record-scanner.ts';
import type { Encoding, SourceOverrides } from '../../src/model/dataset.ts';
import type { CsvScan } from '../../src/model/scan.ts';
import type { Column, Schema } from '../../src/model/schema.ts';

/** A landed file, as inspection and engines get it. */
export interface Sample {
  path: string;
  bytes: number;
  scan: CsvScan;
  encoding: Encoding;
}

/** A folder that goes with the test. */
export async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-conversion-'));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function landed(
  folder: string,
  content: string | Buffer,
  { delimiter = ',', encoding = 'utf-8' }: { delimiter?: string; encoding?: Encoding } = {},
): Promise<Sample> {
  const bytes = Buffer.from(content as string);
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'sample.csv');
  await writeFile(path, bytes);
  return { path, bytes: bytes.length, scan: scanOf(bytes, delimiter, encoding), encoding };
}

export function scanOf(bytes: Buffer, delimiter: string, encoding: Encoding): CsvScan {
  const bomBytes = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0;
  const scanner = new CsvScanner({ delimiter, quote: '"', bomBytes });
  scanner.push(bytes);
  return scanner.finish(encoding);
}

export async function inspected(sample: Sample, overrides: SourceOverrides = {}): Promise<Schema> {
  return await inspect({
    ...sample,
    overrides,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
}

/** DuckDB's job without its child process: fast enough for properties. */
export async function convertedInProcess(sample: Sample, schema: Schema): Promise<Converted> {
  const folder = join(sample.path, '..', 'out');
  await rm(folder, { recursive: true, force: true });
  const request = {
    inputPath: sample.path,
    inputBytes: sample.bytes,
    scan: sample.scan,
    encoding: sample.encoding,
    schema,
    outputFolder: folder,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  };
  const { job, scratchFolder, part } = planJob(request, { memoryLimit: '1GiB', threads: 2 });
  await mkdir(scratchFolder, { recursive: true });
  await runJob(job, () => undefined);
  return { folder, parts: [part], schema };
}

export interface Converted extends ConversionOutcome {
  folder: string;
}

export async function converted(
  engine: ConversionEngine,
  sample: Sample,
  {
    overrides = {},
    schema,
    name = 'out',
  }: { overrides?: SourceOverrides; schema?: Schema; name?: string } = {},
): Promise<Converted> {
  const folder = join(sample.path, '..', name);
  await mkdir(folder);
  const outcome = await engine.convert({
    inputPath: sample.path,
    inputBytes: sample.bytes,
    scan: sample.scan,
    encoding: sample.encoding,
    schema: schema ?? (await inspected(sample, overrides)),
    outputFolder: folder,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  return { ...outcome, folder };
}

/** What DuckDB reads of the Parquet files: names, types, and every value in the fixed form of its type. */
export async function readBack(result: Converted): Promise<{
  names: string[];
  types: string[];
  rows: (string | null)[][];
}> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const files = `read_parquet([${result.parts.map((part) => `'${join(result.folder, part)}'`).join(', ')}])`;
    const described = await connection.runAndReadAll(
      `SELECT column_name, column_type FROM (DESCRIBE FROM ${files})`,
    );
    const columns = described.getRowsJS() as [string, string][];
    const read = await connection.runAndReadAll(
      `SELECT ${columns.map(([name]) => `CAST("${name.replaceAll('"', '""')}" AS VARCHAR)`).join(', ')} FROM ${files}`,
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

/** What csv-parse reads, in the same fixed forms. */
export function expectedRows(sample: Sample, content: Buffer, schema: Schema): (string | null)[][] {
  if (sample.scan.records === 0) return [];
  const body = content.subarray(sample.scan.splits[0]);
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

/** How the value that the publisher's text means is printed: by JavaScript for doubles, else by DuckDB. */
function fixedForm(text: string, column: Column): string {
  switch (column.type) {
    case 'DOUBLE':
      return String(Number(text));
    case 'DATE':
    case 'TIMESTAMP':
      return momentForm(text, column.format ?? '');
    case 'BIGINT':
    case 'VARCHAR':
      return text;
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

/** The streaming decoder, which is right on Node 20 too. */
function windows1252(bytes: Buffer): string {
  const decoder = new TextDecoder('windows-1252');
  return decoder.decode(bytes, { stream: true }) + decoder.decode();
}
