import type { Block } from '../csv/tokenizer.ts';
import { cutShort, openLocation, type Location } from '../storage/location.ts';

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
