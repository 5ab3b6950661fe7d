const MIB = 1024 * 1024;

/** S3's own limit. */
export const MAX_PARTS = 10_000;
/** Few requests, and little memory: this many times the parts on their way. */
const USUAL_PART_BYTES = 16 * MIB;
/** 10,000 of them are 640 GB, more than any file that is sent without its length. */
const UNKNOWN_LENGTH_PART_BYTES = 64 * MIB;

/** Whole MiB, the same for one length always: an attempt goes on with the parts of another. */
export function partSizeBytesOf(totalBytes: number | undefined, isPaged = false): number {
  // A table of 10,000 such parts would be read for weeks, page by page.
  if (isPaged) return USUAL_PART_BYTES;
  if (totalBytes === undefined) return UNKNOWN_LENGTH_PART_BYTES;
  return Math.max(USUAL_PART_BYTES, Math.ceil(totalBytes / MAX_PARTS / MIB) * MIB);
}

export interface PartSize {
  number: number;
  bytes: number;
}

/**
 * Whether bytes [0, `bytes`) are there as parts: full ones from 1 on, and a shorter last one.
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

/** Whether the parts are exactly the bytes [0, `bytes`). */
export function areExactly(
  bytes: number,
  parts: readonly PartSize[],
  partSizeBytes: number,
): boolean {
  return (
    parts.length === Math.ceil(bytes / partSizeBytes) && areCovered(bytes, parts, partSizeBytes)
  );
}

/**
 * CRC-32 is linear: from its states before and after some bytes follows the checksum of just these bytes. So a
 * part's checksum costs no second look at the part.
 * @param before state of `zlib.crc32` before the bytes.
 * @param after the same state after them.
 */
export function crc32OfRest(before: number, after: number, restBytes: number): number {
  return (after ^ multiply(powerOfX(8 * restBytes), before)) >>> 0;
}

/** The polynomial of zlib and S3, lowest power of x in the highest bit. */
const POLYNOMIAL = 0xedb88320;
/** x to the power of 0. */
const ONE = 0x80000000;
const X = 0x40000000;

/** Product of two polynomials over bits, modulo the CRC's own. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return product >>> 0;
}

/** Computed by squaring; an object of 50 TB has fewer than 2^49 bits. */
function powerOfX(exponent: number): number {
  let power = ONE;
  let square = X;
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) power = multiply(square, power);
    square = multiply(square, square);
  }
  return power;
}
