import { partName } from '../../model/layout.ts';
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
  /** In the request's output. */
  key: string;
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
  const { output, outputPrefix } = request;
  request.signal.throwIfAborted();
  const scratch = await openScratch(output.place(outputPrefix));
  try {
    return await writeParts(request, sizes, scratch.folder, writePart);
  } catch (error) {
    // The error is what counts; what cannot be removed now is swept with the run's staging.
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
  const { output, outputPrefix, inputBytes, scan, signal } = request;
  const file = { bytes: inputBytes, scan };
  const write = async (range: RecordRange, name: string, isPart = true): Promise<number> => {
    signal.throwIfAborted();
    const key = outputPrefix + name;
    const onProgress = (bytes: number): void => {
      if (isPart) request.onProgress({ bytes: range.start + bytes });
    };
    await writePart({ range, key, scratchFolder, onProgress });
    return (await output.size(key)) ?? 0;
  };
  let done: Converted = { end: undefined, csvBytes: 0, parquetBytes: 0 };
  const sample = sampleRange(file, sizes);
  if (sample) {
    const parquetBytes = await write(sample, SAMPLE_NAME, false);
    await output.delete(outputPrefix + SAMPLE_NAME);
    done = { end: undefined, csvBytes: sample.end - sample.start, parquetBytes };
  }
  const parts: string[] = [];
  for (;;) {
    const range = nextRange(file, done, sizes);
    if (!range) return parts;
    const name = partName(parts.length);
    const parquetBytes = await write(range, name);
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

const SAMPLE_NAME = 'sample.parquet';
