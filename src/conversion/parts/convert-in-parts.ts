import { statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { partialPartKey, partName } from '../../model/layout.ts';
import type { ConversionRequest } from '../engine.ts';
import {
  nextRange,
  sampleRange,
  type Converted,
  type PartSizes,
  type RecordRange,
} from './next-range.ts';
import { openScratch } from './scratch.ts';

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
    // What the ranges came to is worth more than the sample.
    const before = parts.length === 0 ? { csvBytes: 0, parquetBytes: 0 } : done;
    done = {
      end: range.end,
      csvBytes: before.csvBytes + range.end - range.start,
      parquetBytes: before.parquetBytes + parquetBytes,
    };
    parts.push(name);
  }
}

const SAMPLE_NAME = 'sample';
