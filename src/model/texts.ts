/** For example `1.5 MiB` or `812 B`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= STEP && unit < UNITS.length - 1) {
    value /= STEP;
    unit += 1;
  }
  const digits = unit === 0 || value >= THREE_DIGITS ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? 'B'}`;
}

const STEP = 1024;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const THREE_DIGITS = 100;

/** For example `1,234,567`, in any locale. */
export function countText(count: number): string {
  return count.toLocaleString('en-US');
}

/** @param crc32 the state of `zlib.crc32` after the last byte. @returns `crc32:` and 8 hex digits. */
export function formatChecksum(crc32: number): string {
  return `crc32:${(crc32 >>> 0).toString(16).padStart(8, '0')}`;
}
