/**
 * CRC-32 is linear: from its states before and after some bytes follows the checksum of just these bytes. So a
 * part's checksum costs no second look at the part.
 * @param before state of `zlib.crc32` before the bytes.
 * @param after the same state after them.
 */
export function crc32OfRest(before: number, after: number, restBytes: number): number {
  return (after ^ multiply(powerOfX(8 * restBytes), before)) >>> 0;
}

/** Of zlib and S3, lowest power of x in the highest bit. */
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

/** By squaring; an object of 50 TB has fewer than 2^49 bits. */
function powerOfX(exponent: number): number {
  let power = ONE;
  let square = X;
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) power = multiply(square, power);
    square = multiply(square, square);
  }
  return power;
}
