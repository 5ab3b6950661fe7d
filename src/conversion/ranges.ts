import type { Block } from '../csv/tokenizer.ts';
import type { CsvScan } from '../model/scan.ts';
import { cutShort, openLocation, type Location } from '../storage/location.ts';

/** Whole records of a landed file. */
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

/**
 * A file's records, cut at its `splits` into ranges of about the same size: header and byte order mark are in none.
 * Fewer ranges where there are not so many splits; none where there is no record.
 * @param from the split where the first range starts.
 */
export function cutRecords(
  { bytes, scan: { records, splits, splitRecords } }: FileToCut,
  ranges: number,
  from = splits[0] ?? bytes,
): RecordRange[] {
  if (from >= bytes) return [];
  const starts = [splits.indexOf(from)];
  for (let n = 1; n < ranges; n += 1) {
    const at = nearest(splits, from + ((bytes - from) * n) / ranges);
    if (at > (starts.at(-1) ?? 0)) starts.push(at);
  }
  const recordsBefore = (index: number): number => splitRecords[index] ?? records;
  return starts.map((at, n) => {
    const next = starts[n + 1] ?? splits.length;
    return {
      start: splits[at] ?? bytes,
      end: splits[next] ?? bytes,
      records: recordsBefore(next) - recordsBefore(at),
      whole: at === 0 && next === splits.length,
    };
  });
}

/** The index of the position that is nearest; positions ascend. */
function nearest(positions: readonly number[], wanted: number): number {
  let best = 0;
  for (const [index, position] of positions.entries()) {
    if (Math.abs(position - wanted) < Math.abs((positions[best] ?? 0) - wanted)) best = index;
  }
  return best;
}

/** Bytes read at once: a few milliseconds of work, so that a caller's event loop stays free between two blocks. */
const BLOCK_BYTES = 1024 * 1024;

/** Whole records of a file. Plain data, for a thread. */
export interface FileRange {
  location: Location;
  /** Where a record starts. */
  start: number;
  /** Where another one starts, or the file's end. */
  end: number;
}

/**
 * What to do with a block, which starts at `position` in the file.
 * @returns where in the block the record starts that goes on behind it: it comes again, with more.
 */
type BlockReader = (bytes: Uint8Array, block: Block, position: number) => number | Promise<number>;
/** Reads a range block by block; memory is one block, or the longest record. */
export async function readBlocks(
  range: FileRange,
  read: BlockReader,
  signal?: AbortSignal,
): Promise<void> {
  const file = await openLocation(range.location, { end: range.end, signal });
  try {
    let buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES + 1);
    let kept = 0;
    let position = range.start;
    while (position < range.end) {
      signal?.throwIfAborted();
      if (kept === buffer.length - 1) buffer = grown(buffer);
      const wanted = Math.min(buffer.length - 1 - kept, range.end - position);
      const bytesRead = await file.read(buffer.subarray(kept, kept + wanted), position);
      if (bytesRead === 0) throw cutShort(range.location, position);
      position += bytesRead;
      const limit = kept + bytesRead;
      const block = { start: 0, limit, end: position === range.end };
      const left = await read(buffer, block, position - limit);
      buffer.copyWithin(0, left, limit);
      kept = limit - left;
    }
  } finally {
    await file.close();
  }
}

function grown(buffer: Buffer): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafeSlow((buffer.length - 1) * 2 + 1);
  buffer.copy(larger);
  return larger;
}
