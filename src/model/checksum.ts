/** @param crc32 the state of `zlib.crc32` after the last byte. @returns `crc32:` and 8 hex digits. */
export function formatChecksum(crc32: number): string {
  return `crc32:${(crc32 >>> 0).toString(16).padStart(8, '0')}`;
}
