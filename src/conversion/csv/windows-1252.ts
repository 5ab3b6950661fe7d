import { WINDOWS_1252_HIGH } from '../../model/windows-1252.ts';

/** UTF-8 bytes of each byte of 80 to FF. */
const ENCODED: readonly Buffer[] = Array.from({ length: 128 }, (_, index) =>
  Buffer.from(WINDOWS_1252_HIGH[index] ?? String.fromCharCode(0x80 + index)),
);

/** A byte becomes at most so many. */
export const MAX_GROWTH = 3;

/** Writes bytes [from, end) into `target` at `at`, which has room for MAX_GROWTH times as many. @returns where it ends. */
export function transcode(
  bytes: Uint8Array,
  from: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  let next = at;
  for (let index = from; index < end; index += 1) {
    const byte = bytes[index] as number;
    if (byte < 0x80) {
      target[next] = byte;
      next += 1;
    } else {
      const encoded = ENCODED[byte - 0x80] as Buffer;
      target.set(encoded, next);
      next += encoded.length;
    }
  }
  return next;
}
