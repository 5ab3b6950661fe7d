import type { Block } from '../csv/tokenizer.ts';
import type { CsvScan } from '../model/scan.ts';
import { locationBlocks, type Location } from '../storage/location.ts';

/** Whole records of a landed file. */
export interface RecordRange {
  /** Offset at which the first record starts. */
  start: number;
  /** Offset at which the next range starts, or the file's end. */
  end: number;
  records: number;
  /** True if the range has all of the file's records. */
  whole: boolean;
}

export interface FileToCut {
  bytes: number;
  scan: Pick<CsvScan, 'records' | 'splits' | 'splitRecords'>;
}

/**
 * Cuts a file's records at its `splits` into ranges of about the same size, without header and byte order mark. There
 * are fewer ranges if the file has too few splits, and none if it has no record.
 * @param from the split at which the first range starts.
 */
export function cutRecords(
  { bytes, scan: { records, splits, splitRecords } }: FileToCut,
  ranges: number,
  from = splits[0] ?? bytes,
): RecordRange[] {
  if (from >= bytes) return [];
  let at = splits.indexOf(from);
  const starts = [at];
  for (let n = 1; n < ranges; n += 1) {
    const wanted = from + ((bytes - from) * n) / ranges;
    const distance = (index: number): number => Math.abs((splits[index] ?? Infinity) - wanted);
    // The wanted positions ascend as the splits do, so the nearest split is here or further on.
    while (distance(at + 1) < distance(at)) at += 1;
    if (at > (starts.at(-1) ?? 0)) starts.push(at);
  }
  const recordsBefore = (index: number): number => splitRecords[index] ?? records;
  return starts.map((first, n) => {
    const next = starts[n + 1] ?? splits.length;
    return {
      start: splits[first] ?? bytes,
      end: splits[next] ?? bytes,
      records: recordsBefore(next) - recordsBefore(first),
      whole: first === 0 && next === splits.length,
    };
  });
}

/** Bytes of one read: a few milliseconds of work, so that the caller's event loop is free between two blocks. */
const BLOCK_BYTES = 1024 * 1024;

/** Whole records of a file, as plain data for a child. */
export interface FileRange {
  location: Location;
  /** Offset at which a record starts. */
  start: number;
  /** Offset at which another record starts, or the file's end. */
  end: number;
}

/**
 * Handles a block, which starts at `position` in the file.
 * @returns the offset in the block of a last record that is not complete. The next block begins with it.
 */
type BlockReader = (bytes: Uint8Array, block: Block, position: number) => number | Promise<number>;

/** Reads a range block by block. Memory is two blocks, or twice the longest record and a block. */
export async function readBlocks(
  range: FileRange,
  read: BlockReader,
  signal?: AbortSignal,
): Promise<void> {
  let buffer = Buffer.allocUnsafeSlow(2 * BLOCK_BYTES);
  let limit = 0;
  let wanted = BLOCK_BYTES;
  let position = range.start;
  for await (const bytes of locationBlocks(range.location, { ...range, signal })) {
    const needed = limit + bytes.length + 1;
    if (needed > buffer.length) buffer = grown(buffer, Math.max(needed, wanted + BLOCK_BYTES));
    buffer.set(bytes, limit);
    limit += bytes.length;
    position += bytes.length;
    const end = position === range.end;
    if (limit < wanted && !end) continue;
    const left = await read(buffer, { start: 0, limit, end }, position - limit);
    buffer.copyWithin(0, left, limit);
    limit -= left;
    // A long record is read again from its start, so each time it has twice as many bytes.
    wanted = Math.max(BLOCK_BYTES, 2 * limit);
  }
}

function grown(buffer: Buffer, bytes: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafeSlow(bytes);
  buffer.copy(larger);
  return larger;
}
