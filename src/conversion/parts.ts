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
  /** A CSV file of at most this many bytes becomes one part, however well it compresses. */
  maxWholeBytes: number;
  /** CSV bytes of the sample that shows how well a longer file compresses. */
  sampleBytes: number;
  /** Most CSV bytes of a range. The worker stores a prepared range in a scratch folder, and S3 copies a shard. */
  maxRangeBytes: number;
  /** The wanted size of a Parquet file. */
  partBytes: number;
  /** Largest Parquet file. If files would be larger, there is one more file. */
  maxPartBytes: number;
}

/**
 * Files of 128 to 256 MB: few enough for listings, large enough for scans, and small enough for parallel work. Open
 * data shrinks to a twelfth or a quarter as Parquet, so 768 MiB of CSV stay below the largest size.
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
  /** Key in the request's output. An engine may write straight to S3, which shows an object once it is complete. */
  key: string;
  /** Path on this machine. The engine may write the file here and then put it (`putFile`) to the key. */
  partialPath: string;
  /** Folder on this machine that only this attempt uses. */
  scratchFolder: string;
  /** @param bytes bytes of the range done so far. */
  onProgress: (bytes: number) => void;
}

/**
 * Converts a file range by range, because only their Parquet shows how long the next range should be. If it fails, it
 * leaves nothing below the output prefix.
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
    // The first error matters. If removal fails now, the run's clean-up or a sweep removes the files.
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
  const { output, outputPrefix, scratchPrefix, signal } = request;
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
  const sample = sampleRange(request, sizes);
  if (sample) {
    const key = scratchPrefix + SAMPLE_NAME;
    const parquetBytes = await write(sample, key, false);
    await output.delete(key);
    done = { end: undefined, csvBytes: sample.end - sample.start, parquetBytes };
  }
  const parts: string[] = [];
  for (;;) {
    const range = nextRange(request, done, sizes);
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

/** How much of the file is converted. */
export interface Converted {
  /** End of the last range; undefined before the first one. */
  end: number | undefined;
  /** CSV bytes converted so far, and the Parquet bytes made from them, in the sample and in the ranges. */
  csvBytes: number;
  parquetBytes: number;
}

/**
 * The start of a file that is too long for one part. It is converted only to learn its size. Undefined if the file
 * becomes one part.
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
 * The next range in the file's order; undefined if all is converted. The ranges that are left have about the same size,
 * so no small one remains at the end. A file is cut only at its `splits`.
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
 * Opens a folder on this machine for an attempt's other files. For a lake on disk it lies in the attempt's scratch: on
 * the lake's file system, and swept with its run. For S3 it lies in the system's folder for temporary files (TMPDIR).
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
