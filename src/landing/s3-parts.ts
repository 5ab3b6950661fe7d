const MIB = 1024 * 1024;

/** S3 allows no more parts in an upload. */
export const MAX_PARTS = 10_000;
/** A compromise: larger parts need fewer requests, but memory for each part that is sent at the same time. */
const USUAL_PART_BYTES = 16 * MIB;
/** 10,000 parts of this size are 671 GB, more than any known file that a publisher sends without its length. */
const UNKNOWN_LENGTH_PART_BYTES = 64 * MIB;

/** Returns whole MiB, always the same for one length, because an attempt reuses another attempt's parts. */
export function partSizeBytesOf(totalBytes: number | undefined, isPaged = false): number {
  // A portal sends a table in pages, so a table of 10,000 parts of this size would take weeks.
  if (isPaged) return USUAL_PART_BYTES;
  if (totalBytes === undefined) return UNKNOWN_LENGTH_PART_BYTES;
  return Math.max(USUAL_PART_BYTES, Math.ceil(totalBytes / MAX_PARTS / MIB) * MIB);
}

export interface PartSize {
  number: number;
  bytes: number;
}

/**
 * Whether the parts hold the bytes [0, `bytes`): full parts from number 1, and a last part that may be shorter.
 * @param parts in any order; parts beyond `bytes` are ignored.
 */
export function areCovered(
  bytes: number,
  parts: readonly PartSize[],
  partSizeBytes: number,
): boolean {
  const sizes = new Map(parts.map((part) => [part.number, part.bytes]));
  for (let start = 0, number = 1; start < bytes; start += partSizeBytes, number += 1) {
    if (sizes.get(number) !== Math.min(partSizeBytes, bytes - start)) return false;
  }
  return true;
}

/** Whether the parts hold exactly the bytes [0, `bytes`) and nothing more. */
export function areExactly(
  bytes: number,
  parts: readonly PartSize[],
  partSizeBytes: number,
): boolean {
  return (
    parts.length === Math.ceil(bytes / partSizeBytes) && areCovered(bytes, parts, partSizeBytes)
  );
}
