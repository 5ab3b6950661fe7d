import type { CsvScan } from '../../model/scan.ts';

const MIB = 1024 * 1024;

/** How large the Parquet files become. */
export interface PartSizes {
  /** CSV: a file of at most so much is one part, whatever it compresses to. */
  maxWholeBytes: number;
  /** CSV of the sample that shows how far a longer file compresses. */
  sampleBytes: number;
  /** CSV of any range: a prepared one lies in a scratch folder, and S3 copies a shard. */
  maxRangeBytes: number;
  /** The size that a Parquet file is to have. */
  partBytes: number;
  /** The largest Parquet file: where fewer files would be larger, there is one more. */
  maxPartBytes: number;
}

/**
 * 128 to 256 MB each: few enough for listings, large enough for scans, small enough to be shared out. Of open data,
 * four to twelve times as long as its Parquet, 768 MiB never makes more than that.
 */
export const PART_SIZES: PartSizes = {
  maxWholeBytes: 768 * MIB,
  sampleBytes: 32 * MIB,
  maxRangeBytes: 4096 * MIB,
  partBytes: 192_000_000,
  maxPartBytes: 256_000_000,
};

/** Whole records of a landed file: what becomes one Parquet file. */
export interface RecordRange {
  /** Where its first record starts. */
  start: number;
  /** Where the next range's starts, or the file's end. */
  end: number;
  records: number;
  /** All of the file's records. */
  whole: boolean;
}

export interface FileToCut {
  bytes: number;
  scan: Pick<CsvScan, 'records' | 'splits' | 'splitRecords'>;
}

/** What of the file is converted. */
export interface Converted {
  /** Where the last range ended; undefined before the first. */
  end: number | undefined;
  /** How much CSV became how much Parquet so far, in the ranges or at first in the sample. */
  csvBytes: number;
  parquetBytes: number;
}

/**
 * The start of a file that is too long for one part: converted for its size alone. Undefined where the file is one
 * part anyway.
 */
export function sampleRange(
  file: FileToCut,
  sizes: PartSizes = PART_SIZES,
): RecordRange | undefined {
  const start = file.scan.splits[0] ?? file.bytes;
  if (file.bytes - start <= sizes.maxWholeBytes) return undefined;
  const end = file.scan.splits.find((split) => split >= start + sizes.sampleBytes) ?? file.bytes;
  return { start, end, records: recordsBefore(file, end), whole: end === file.bytes };
}

/**
 * The next range, in the file's order; undefined where all is converted. It is balanced with those behind it, so
 * that no small one is left. A file is cut only at its `splits`.
 */
export function nextRange(
  file: FileToCut,
  done: Converted,
  sizes: PartSizes = PART_SIZES,
): RecordRange | undefined {
  const first = file.scan.splits[0] ?? file.bytes;
  const start = done.end ?? first;
  if (done.end !== undefined && start >= file.bytes) return undefined;
  const end = endOfNext(file, start, rangesLeft(file.bytes - start, done, sizes));
  const records = recordsBefore(file, end) - recordsBefore(file, start);
  return { start, end, records, whole: start === first && end === file.bytes };
}

function rangesLeft(csvBytes: number, done: Converted, sizes: PartSizes): number {
  if (done.csvBytes === 0) return 1;
  const parquetLeft = (done.parquetBytes / done.csvBytes) * csvBytes;
  const ranges = Math.max(1, Math.round(parquetLeft / sizes.partBytes));
  const balanced = parquetLeft / ranges > sizes.maxPartBytes ? ranges + 1 : ranges;
  return Math.max(balanced, Math.ceil(csvBytes / sizes.maxRangeBytes));
}

/** The record start that is nearest to an equal share. */
function endOfNext(file: FileToCut, start: number, ranges: number): number {
  const { bytes, scan } = file;
  if (ranges <= 1) return bytes;
  const wanted = start + (bytes - start) / ranges;
  let end = bytes;
  for (const split of scan.splits) {
    if (split > start && Math.abs(split - wanted) < Math.abs(end - wanted)) end = split;
  }
  return end;
}

function recordsBefore({ bytes, scan }: FileToCut, position: number): number {
  if (position === bytes) return scan.records;
  return scan.splitRecords[scan.splits.indexOf(position)] ?? 0;
}
