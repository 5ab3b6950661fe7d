import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SparkSettings } from '../../config/settings.ts';
import { assertDecodable } from '../../csv/encoding.ts';
import { sparkJobKey, sparkShardsPrefix, stagedSparkPrefix } from '../../model/layout.ts';
import { isReadableWhole } from '../../model/scan.ts';
import { freeSpace } from '../../storage/free-space.ts';
import { toJson } from '../../storage/manifests.ts';
import type { LandedTask } from '../../storage/staged.ts';
import type { Lake } from '../../storage/store.ts';
import { landedFile, writtenFolder } from '../convert-source.ts';
import type { TypedFile, Watch } from '../engine.ts';
import { openScratch, PART_SIZES, type PartSizes } from '../parts.ts';
import {
  anyIsMarked,
  lineEndOf,
  preparationOf,
  prepareInChildren,
  readsExactly,
} from '../prepare.ts';
import { cutRecords, type RecordRange } from '../ranges.ts';
import { together } from '../together.ts';
import type { SparkInput, SparkJob } from './job.ts';

/** How large Spark's shards and Parquet files are. */
export interface SparkSizes extends Pick<PartSizes, 'partBytes' | 'maxPartBytes'> {
  /** Spark reads a file with line breaks in quotes in one task. Only shards let it work in parallel. */
  shardBytes: number;
}

export const SPARK_SIZES: SparkSizes = {
  shardBytes: 128_000_000,
  partBytes: PART_SIZES.partBytes,
  maxPartBytes: PART_SIZES.maxPartBytes,
};

/** Share of the free disk for copies. The rest is for landings, for Parquet and for other programs. */
const STAGE_SHARE = 1 / 3;

/** Largest number of bytes that a run's copies for Spark have at once. */
export async function stageBytes({
  converted,
  spark,
}: Pick<Lake, 'converted'> & { spark: SparkSettings }): Promise<number> {
  if (spark.stageBytes !== undefined) return spark.stageBytes;
  const { bytes } = await freeSpace(writtenFolder(converted));
  return Math.min(Math.floor(bytes * STAGE_SHARE), Number.MAX_SAFE_INTEGER);
}

export interface StagedSource {
  /** Bytes that Spark will read. */
  bytes: number;
  /** Bytes of copies among them, which staging made. */
  stagedBytes: number;
}

/** Stages Spark's job for a landing in the run's staging. A repeated call keeps existing copies. */
export async function stageSource(
  lake: Lake,
  input: LandedTask,
  watch: Pick<Watch, 'signal' | 'onProgress'>,
): Promise<StagedSource> {
  const file = { ...(await landedFile(lake, input)), lake, rawKey: input.rawKey };
  const prefix = stagedSparkPrefix(input.runId, input.source.id);
  const { inputs } = await stageJob(file, prefix, SPARK_SIZES, {
    signal: watch.signal,
    onProgress: (bytes) => watch.onProgress({ bytes, totalBytes: file.bytes }),
  });
  const sum = (of: typeof inputs): number => of.reduce((total, { bytes }) => total + bytes, 0);
  const copies = inputs.filter(({ zone }) => zone === 'converted');
  return { bytes: sum(inputs), stagedBytes: sum(copies) };
}

export interface LandedCsv extends TypedFile {
  lake: Lake;
  rawKey: string;
}

interface StagingWatch {
  signal: AbortSignal;
  /** @param bytes bytes of the records prepared so far. */
  onProgress: (bytes: number) => void;
}

/** The inputs of a job, and how Spark reads them. */
type SparkInputs = Pick<SparkJob, 'inputs' | 'header' | 'delimiter' | 'encoding' | 'lineEnd'>;

/** Copies at once. S3 makes its copies itself, so the worker mostly waits. */
const COPIES = 8;

/**
 * Makes Spark's inputs of a source and then its job, below a prefix of the converted zone. If the file is one shard
 * that Spark reads exactly, the input is the landed file itself. Otherwise the inputs are exact copies of shards, or
 * shards that are rewritten in a form that every reader reads alike. Existing copies stay.
 * @throws LonghaulError SOURCE_ENCODING_UNCLEAR, DISK_FULL, LAKE_…, STORE_… of S3; the signal's reason.
 */
export async function stageJob(
  file: LandedCsv,
  prefix: string,
  { shardBytes, ...sizes }: SparkSizes,
  watch: StagingWatch,
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
  watch: StagingWatch,
): Promise<SparkInputs> {
  const { rawKey, location, scan, encoding } = file;
  const first = scan.splits[0] ?? file.bytes;
  const shards = cutRecords(file, Math.ceil((file.bytes - first) / shardBytes));
  const isWhole = shards.length === 1 && isReadableWhole(scan.dialect);
  const read = isWhole ? [{ start: 0, end: file.bytes }] : shards;
  // A mark at the start of a whole UTF-8 file is a real byte order mark.
  const mayBeMarked = !isWhole || encoding !== 'utf-8';
  if (
    !readsExactly(scan, encoding) ||
    (mayBeMarked && (await anyIsMarked(location, read, watch.signal)))
  ) {
    return await preparedInputs(file, prefix, shards, watch);
  }
  const asIs = { delimiter: scan.dialect.delimiter, encoding, lineEnd: lineEndOf(scan) };
  if (isWhole) {
    const { bytes } = file;
    const whole: SparkInput = { zone: 'raw', key: rawKey, bytes, records: scan.records };
    return { ...asIs, header: scan.dialect.header !== false, inputs: [whole] };
  }
  return { ...asIs, header: false, inputs: await copies(file, prefix, shards, watch) };
}

async function copies(
  { lake: { converted }, location }: LandedCsv,
  prefix: string,
  shards: readonly RecordRange[],
  { signal, onProgress }: StagingWatch,
): Promise<SparkInput[]> {
  let done = 0;
  return await together(shards, { signal, concurrency: COPIES }, async (shard, index, stopped) => {
    const { start, end, records } = shard;
    const key = shardKey(prefix, index);
    const bytes = end - start;
    const there = await converted.size(key);
    if (there !== bytes) {
      if (there !== undefined) await converted.delete(key);
      await converted.copyRange({ location, start, end }, key, stopped);
    }
    onProgress((done += bytes));
    return { zone: 'converted', key, bytes, records };
  });
}

function shardKey(prefix: string, index: number): string {
  return `${sparkShardsPrefix(prefix)}shard-${String(index).padStart(5, '0')}.csv`;
}

/** Prepared inputs have a header line. Without it a reader would skip a value's bytes that look like a mark. */
async function preparedInputs(
  file: LandedCsv,
  prefix: string,
  shards: readonly RecordRange[],
  { signal, onProgress }: StagingWatch,
): Promise<SparkInputs> {
  const { converted } = file.lake;
  const scratch = await openScratch(converted.location(prefix));
  try {
    const outputPath = (index: number): string => join(scratch.folder, `${index}.csv`);
    const sizes = await together(shards, { signal, concurrency: COPIES }, async (_, index) =>
      converted.size(shardKey(prefix, index)),
    );
    const missing = sizes.flatMap((bytes, index) => (bytes === undefined ? index : []));
    const ranges = missing.map((index) =>
      preparationOf(file, shards[index] as RecordRange, outputPath(index), true),
    );
    await prepareInChildren(ranges, signal, onProgress);
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
