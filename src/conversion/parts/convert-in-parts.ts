import { partName } from '../../model/layout.ts';
import type { ConversionRequest } from '../engine.ts';
import { nextRange, type PartSizes, type RecordRange } from './next-range.ts';
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
 * Converts a file range by range, since only the Parquet of one says how long the next should be. Nothing is left
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
  const parts: string[] = [];
  let end: number | undefined;
  let parquetBytes = 0;
  for (;;) {
    const range = nextRange(file, { end, parquetBytes }, sizes);
    if (!range) return parts;
    signal.throwIfAborted();
    const name = partName(parts.length);
    const key = outputPrefix + name;
    const onProgress = (bytes: number): void => request.onProgress({ bytes: range.start + bytes });
    await writePart({ range, key, scratchFolder, onProgress });
    parts.push(name);
    ({ end } = range);
    parquetBytes += (await output.size(key)) ?? 0;
  }
}
