const MIB = 1024 * 1024;

/** S3's own limit. */
export const MAX_PARTS = 10_000;
/** Few requests, and little memory: this many times the parts on their way. */
const USUAL_PART_BYTES = 16 * MIB;
/** 10,000 of them are 640 GB, more than any file that is sent without its length. */
const UNKNOWN_LENGTH_PART_BYTES = 64 * MIB;

/** Whole MiB, the same for one length always: an attempt goes on with the parts of another. */
export function partSizeBytesOf(totalBytes: number | undefined): number {
  if (totalBytes === undefined) return UNKNOWN_LENGTH_PART_BYTES;
  return Math.max(USUAL_PART_BYTES, Math.ceil(totalBytes / MAX_PARTS / MIB) * MIB);
}

export interface PartSize {
  number: number;
  bytes: number;
}

/**
 * Whether bytes [0, `bytes`) are there as parts: full ones from 1 on, and a shorter last one.
 * @param parts in any order; what lies beyond is not looked at.
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

/** What keeps the parts from being exactly the bytes [0, `bytes`); undefined where nothing does. */
export function problemOfParts(
  bytes: number,
  parts: readonly PartSize[],
  partSizeBytes: number,
): string | undefined {
  const count = Math.ceil(bytes / partSizeBytes);
  if (parts.length !== count) return `it has ${parts.length} parts instead of ${count}`;
  if (areCovered(bytes, parts, partSizeBytes)) return undefined;
  return `its ${count} parts are not the bytes 0 to ${bytes}`;
}
