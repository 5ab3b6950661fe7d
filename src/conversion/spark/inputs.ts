import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { assertDecodable } from '../../csv/encoding.ts';
import type { Encoding } from '../../model/dataset.ts';
import { sparkJobKey, sparkShardsPrefix } from '../../model/layout.ts';
import { isReadableWhole, type CsvScan } from '../../model/scan.ts';
import type { Schema } from '../../model/schema.ts';
import { openLocation } from '../../storage/location.ts';
import { toJson } from '../../storage/manifests.ts';
import type { Lake } from '../../storage/store.ts';
import { openScratch } from '../parts/scratch.ts';
import { prepareInThreads, type Preparation } from '../prepare.ts';
import { together } from '../together.ts';
import {
  lineEndOf,
  readsExactly,
  shardsOf,
  type Shard,
  type SparkInput,
  type SparkJob,
  type SparkSizes,
} from './job.ts';

/** A landed file, with what landing and inspection have found. */
export interface LandedCsv {
  lake: Lake;
  rawKey: string;
  bytes: number;
  scan: CsvScan;
  encoding: Encoding;
  schema: Schema;
}

interface Watch {
  signal: AbortSignal;
  /** @param bytes of the records made ready so far. */
  onProgress: (bytes: number) => void;
}

/** Of a job: what it reads, and how. */
type SparkInputs = Pick<SparkJob, 'inputs' | 'header' | 'delimiter' | 'encoding' | 'lineEnd'>;

/** Copies at once: in S3, which makes them itself, that is waiting. */
const COPIES = 8;

/**
 * Makes what Spark reads of a source, and then its job, below a prefix of the converted zone: the landed file itself
 * where it is one shard that Spark reads exactly; else shards of it, copied as they are; else shards written anew, in a form
 * that every reader reads alike. Copies that are there already stay.
 * @throws LonghaulError SOURCE_ENCODING_UNCLEAR, DISK_FULL, LAKE_…, STORE_… of S3; the signal's reason.
 */
export async function stageJob(
  file: LandedCsv,
  prefix: string,
  { shardBytes, ...sizes }: SparkSizes,
  watch: Watch,
): Promise<SparkJob> {
  const { lake, schema } = file;
  assertDecodable(file.scan, file.encoding);
  const inputs = await makeInputs(file, prefix, shardBytes, watch);
  const job: SparkJob = {
    format: 'longhaul/spark-job/1',
    ...inputs,
    columns: schema.columns,
    ...sizes,
  };
  await lake.converted.put(sparkJobKey(prefix), toJson(job));
  return job;
}

async function makeInputs(
  file: LandedCsv,
  prefix: string,
  shardBytes: number,
  watch: Watch,
): Promise<SparkInputs> {
  const { scan, encoding } = file;
  const shards = shardsOf(file, shardBytes);
  const exact = readsExactly(scan, encoding) && !(await anyIsMarked(file, shards, watch));
  if (!exact) return await preparedInputs(file, prefix, shards, watch);
  const asIs = { delimiter: scan.dialect.delimiter, encoding, lineEnd: lineEndOf(scan) };
  const [first] = shards;
  if (first && isOneWhole(shards, scan)) {
    const whole: SparkInput = {
      ...{ zone: 'raw', key: file.rawKey },
      ...{ bytes: file.bytes, records: first.records },
    };
    return { ...asIs, header: scan.dialect.header !== false, inputs: [whole] };
  }
  return { ...asIs, header: false, inputs: await copies(file, prefix, shards, watch) };
}

async function copies(
  { lake: { raw, converted }, rawKey }: LandedCsv,
  prefix: string,
  shards: readonly Shard[],
  { signal, onProgress }: Watch,
): Promise<SparkInput[]> {
  let done = 0;
  return await together(shards, { signal, concurrency: COPIES }, async (shard, index, stopped) => {
    const { start, end, records } = shard;
    const key = shardKey(prefix, index);
    const bytes = end - start;
    const there = await converted.size(key);
    if (there !== bytes) {
      if (there !== undefined) await converted.delete(key);
      await converted.copyRange({ location: raw.location(rawKey), start, end }, key, stopped);
    }
    onProgress((done += bytes));
    return { zone: 'converted', key, bytes, records };
  });
}

function isOneWhole(shards: readonly Shard[], { dialect }: CsvScan): boolean {
  return shards.length === 1 && isReadableWhole(dialect);
}

function shardKey(prefix: string, index: number): string {
  return `${sparkShardsPrefix(prefix)}shard-${String(index).padStart(5, '0')}.csv`;
}

/**
 * Whether a file that Spark would open starts with what it takes for a byte order mark: it would drop it, and decode
 * the rest as the mark says. The mark of a whole UTF-8 file is one.
 */
async function anyIsMarked(
  { lake, rawKey, scan, encoding }: LandedCsv,
  shards: readonly Shard[],
  { signal }: Watch,
): Promise<boolean> {
  const isWhole = isOneWhole(shards, scan);
  if (isWhole && encoding === 'utf-8') return false;
  const starts = isWhole ? [0] : shards.map(({ start }) => start);
  const reader = await openLocation(lake.raw.location(rawKey), { signal });
  try {
    for (const start of starts) {
      const bytes = Buffer.alloc(MARK_BYTES);
      await reader.read(bytes, start);
      if (MARKS.some((mark) => bytes.subarray(0, mark.length).equals(mark))) return true;
    }
    return scan.dialect.bomBytes > 0 && encoding !== 'utf-8';
  } finally {
    await reader.close();
  }
}

const MARK_BYTES = 3;
/** Of UTF-8 and UTF-16; a file with one of UTF-32 has NUL bytes. */
const MARKS = [
  [0xef, 0xbb, 0xbf],
  [0xfe, 0xff],
  [0xff, 0xfe],
].map((bytes) => Buffer.from(bytes));

/** With a header line: a reader takes a mark that starts a file, even a value's, for none of its. */
async function preparedInputs(
  file: LandedCsv,
  prefix: string,
  shards: readonly Shard[],
  { signal, onProgress }: Watch,
): Promise<SparkInputs> {
  const { converted } = file.lake;
  const scratch = await openScratch(converted.location(prefix));
  try {
    const outputPath = (index: number): string => join(scratch.folder, `${index}.csv`);
    const sizes = await together(shards, { signal, concurrency: COPIES }, async (_, index) =>
      converted.size(shardKey(prefix, index)),
    );
    const missing = sizes.flatMap((bytes, index) => (bytes === undefined ? index : []));
    const ranges = missing.map((index) => ({
      ...preparationOf(file, shards[index] as Shard),
      outputPath: outputPath(index),
    }));
    await prepareInThreads(ranges, signal, onProgress);
    await together(missing, { signal, concurrency: COPIES }, async (index, _, stopped) => {
      sizes[index] = (await stat(outputPath(index))).size;
      await converted.putFile(shardKey(prefix, index), outputPath(index), stopped);
    });
    const inputs = shards.map(({ records }, index): SparkInput => {
      const key = shardKey(prefix, index);
      return { zone: 'converted', key, bytes: sizes[index] ?? 0, records };
    });
    return { inputs, header: true, delimiter: ',', encoding: 'utf-8', lineEnd: '\n' };
  } finally {
    await scratch.close();
  }
}

function preparationOf(
  { lake, rawKey, scan, schema, encoding }: LandedCsv,
  { start, end }: Shard,
): Omit<Preparation, 'outputPath'> {
  return {
    location: lake.raw.location(rawKey),
    start,
    end,
    header: `${schema.columns.map((_, column) => `c${column}`).join(',')}\n`,
    transcode: encoding === 'windows-1252' && !scan.encoding.ascii,
    rewrite: true,
    delimiter: scan.dialect.delimiter.charCodeAt(0),
    columns: schema.columns.length,
  };
}
