import { statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { partialPartKey, partName } from '../model/layout.ts';
import { storageError } from '../storage/disk-errors.ts';
import type { Location } from '../storage/location.ts';
import { openTemporaryFolder, type TemporaryFolder } from '../storage/temporary-folder.ts';
import type { ConversionRequest } from './engine.ts';
import { cutRecords, type FileToCut, type RecordRange } from './ranges.ts';

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

/** One Parquet file to write. */
export interface PartToWrite {
  range: RecordRange;
  /** In the request's output. An object in S3 may be written straight to it: S3 shows it only once it is whole. */
  key: string;
  /** On this machine: a file that is written here and then put (`putFile`) to the key. */
  partialPath: string;
  /** A folder on this machine, of this attempt's own. */
  scratchFolder: string;
  /** @param bytes of the range done so far. */
  onProgress: (bytes: number) => void;
}

/**
 * Converts a file range by range, since only their Parquet says how long the next should be. Nothing is left
 * below the output prefix where it fails.
 * @returns the parts' names in order.
 */
export async function convertInParts(
  request: ConversionRequest,
  sizes: PartSizes,
  writePart: (part: PartToWrite) => Promise<void>,
): Promise<string[]> {
  const { output, outputPrefix, scratchPrefix } = request;
  request.signal.throwIfAborted();
  const scratch = await openScratch(output.location(scratchPrefix));
  try {
    return await writeParts(request, sizes, scratch.folder, writePart);
  } catch (error) {
    // The error is what counts; what cannot be removed now is left for the run's cleaning up, or for a sweep.
    await output.deletePrefix(outputPrefix).catch(() => undefined);
    throw error;
  } finally {
    await scratch.close();
  }
}

async function writeParts(
  request: ConversionRequest,
  sizes: PartSizes,
  scratchFolder: string,
  writePart: (part: PartToWrite) => Promise<void>,
): Promise<string[]> {
  const { output, outputPrefix, scratchPrefix, inputBytes, scan, signal } = request;
  const file = { bytes: inputBytes, scan };
  let written = 0;
  const write = async (range: RecordRange, key: string, isPart = true): Promise<number> => {
    signal.throwIfAborted();
    const isOnDisk = output.location(key).kind === 'disk';
    const partialPath = isOnDisk ? output.uri(partialPartKey(key)) : join(scratchFolder, 'partial');
    if (isOnDisk) await mkdir(dirname(partialPath), { recursive: true });
    const onProgress = (bytes: number): void => {
      if (!isPart) return;
      const partial = statSync(partialPath, { throwIfNoEntry: false })?.size ?? 0;
      request.onProgress({ bytes: range.start + bytes, bytesWritten: written + partial });
    };
    try {
      await writePart({ range, key, partialPath, scratchFolder, onProgress });
    } catch (error) {
      await rm(partialPath, { force: true }).catch(() => undefined);
      throw error;
    }
    return (await output.size(key)) ?? 0;
  };
  let done: Converted = { end: undefined, csvBytes: 0, parquetBytes: 0 };
  const sample = sampleRange(file, sizes);
  if (sample) {
    const key = scratchPrefix + SAMPLE_NAME;
    const parquetBytes = await write(sample, key, false);
    await output.delete(key);
    done = { end: undefined, csvBytes: sample.end - sample.start, parquetBytes };
  }
  const parts: string[] = [];
  for (;;) {
    const range = nextRange(file, done, sizes);
    if (!range) return parts;
    const name = partName(parts.length);
    const parquetBytes = await write(range, outputPrefix + name);
    written += parquetBytes;
    done = {
      end: range.end,
      csvBytes: done.csvBytes + range.end - range.start,
      parquetBytes: done.parquetBytes + parquetBytes,
    };
    parts.push(name);
  }
}

const SAMPLE_NAME = 'sample';

/** What of the file is converted. */
export interface Converted {
  /** Where the last range ended; undefined before the first. */
  end: number | undefined;
  /** How much CSV became how much Parquet so far, in the sample and in the ranges. */
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
  const { splits, splitRecords, records } = file.scan;
  const next = splits.findIndex((split) => split >= start + sizes.sampleBytes);
  if (next === -1) return { start, end: file.bytes, records, whole: true };
  return { start, end: splits[next] ?? 0, records: splitRecords[next] ?? 0, whole: false };
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
  const start = done.end ?? file.scan.splits[0] ?? file.bytes;
  const [next] = cutRecords(file, rangesLeft(file.bytes - start, done, sizes), start);
  if (next || done.end !== undefined) return next;
  return { start, end: start, records: 0, whole: true };
}

function rangesLeft(csvBytes: number, done: Converted, sizes: PartSizes): number {
  if (done.csvBytes === 0) return 1;
  const parquetLeft = (done.parquetBytes / done.csvBytes) * csvBytes;
  const ranges = Math.max(1, Math.round(parquetLeft / sizes.partBytes));
  const balanced = parquetLeft / ranges > sizes.maxPartBytes ? ranges + 1 : ranges;
  return Math.max(balanced, Math.ceil(csvBytes / sizes.maxRangeBytes));
}

/**
 * A folder on this machine for what an attempt needs besides its parts: on disk inside the attempt's scratch,
 * which is swept with its run and on the lake's file system; for S3 in the system's folder for temporary files (TMPDIR).
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE.
 */
export async function openScratch(output: Location): Promise<TemporaryFolder> {
  if (output.kind !== 'disk') return await openTemporaryFolder();
  const folder = join(output.path, '.scratch');
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw storageError(error, folder);
  });
  return { folder, close: async () => await rm(folder, { recursive: true, force: true }) };
}
