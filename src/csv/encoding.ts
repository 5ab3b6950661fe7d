import { isAscii } from 'node:buffer';
import type { Encoding } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import type { CsvScan } from '../model/scan.ts';

/**
 * Windows-1252's characters from 80 to 9F; its other bytes are the code points of the same number. Its five undefined
 * bytes become the C1 controls of their number, as in the WHATWG's table. Longhaul has its own table, because Node 20's
 * `TextDecoder('windows-1252')` decodes as Latin-1 and DuckDB has no exact decoder.
 */
const WINDOWS_1252_HIGH =
  '\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f' +
  '\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178';

/** The bytes that Windows-1252 does not define. */
export const UNDEFINED_IN_WINDOWS_1252: readonly number[] = [0x81, 0x8d, 0x8f, 0x90, 0x9d];

/** UTF-8 bytes of each byte of 80 to FF. */
const UTF8_OF_HIGH: readonly Buffer[] = Array.from({ length: 128 }, (_, index) =>
  Buffer.from(WINDOWS_1252_HIGH[index] ?? String.fromCharCode(0x80 + index)),
);
const LONGEST_BYTES = 3;

/** Converts Windows-1252 to UTF-8. @returns new bytes, or the given ones if they are the same in both. */
export function windows1252ToUtf8(bytes: Uint8Array): Uint8Array {
  if (isAscii(bytes)) return bytes;
  const target = Buffer.allocUnsafe(bytes.length * LONGEST_BYTES);
  let at = 0;
  for (const byte of bytes) {
    if (byte < 0x80) {
      target[at] = byte;
      at += 1;
    } else {
      const utf8 = UTF8_OF_HIGH[byte - 0x80] as Buffer;
      target.set(utf8, at);
      at += utf8.length;
    }
  }
  return target.subarray(0, at);
}

/** Decodes short texts: names and values, not whole files. Bytes that are not valid UTF-8 become U+FFFD. */
export function decode(bytes: Uint8Array, encoding: Encoding): string {
  return Buffer.from(encoding === 'utf-8' ? bytes : windows1252ToUtf8(bytes)).toString('utf8');
}

/**
 * Decides by the whole file. A declared encoding comes first, then a byte order mark, then valid UTF-8. Otherwise the
 * file is Windows-1252, unless its bytes contradict that too.
 * @throws LonghaulError SOURCE_ENCODING_UNCLEAR with the offsets.
 */
export function decideEncoding(scan: CsvScan, declared?: Encoding): Encoding {
  const { firstInvalidUtf8, firstMultibyteUtf8 } = scan.encoding;
  const { firstUndefinedWindows1252, firstUnlikelyWindows1252 } = scan.encoding;
  const saysUtf8 = declared === 'utf-8' || (declared === undefined && scan.dialect.bomBytes > 0);
  if (saysUtf8 && firstInvalidUtf8 !== undefined) {
    const who = declared === undefined ? 'has the byte order mark of' : 'is declared as';
    throw unclear(`The file ${who} UTF-8, but byte ${firstInvalidUtf8} is not valid in it.`);
  }
  if (declared !== undefined) return declared;
  if (firstInvalidUtf8 === undefined) return 'utf-8';
  if (firstUndefinedWindows1252 !== undefined) {
    throw unclear(
      `Byte ${firstInvalidUtf8} is not valid UTF-8, and the byte at ${firstUndefinedWindows1252} is not defined in Windows-1252.`,
    );
  }
  if (firstMultibyteUtf8 !== undefined) {
    throw unclear(
      `Byte ${firstInvalidUtf8} is not valid UTF-8, but at byte ${firstMultibyteUtf8} there is a character in UTF-8.`,
    );
  }
  if (firstUnlikelyWindows1252 !== undefined) {
    throw unclear(
      `The file is not UTF-8 (byte ${firstInvalidUtf8}), and as Windows-1252 most of its other letters would be signs inside words, the first at byte ${firstUnlikelyWindows1252}: it may be Mac Roman or of a DOS code page.`,
    );
  }
  return 'windows-1252';
}

/**
 * Throws before a decoder would put U+FFFD for bytes that it cannot read, whatever was declared.
 * @throws LonghaulError SOURCE_ENCODING_UNCLEAR with the offset of the first byte that is not UTF-8.
 */
export function assertDecodable(scan: CsvScan, encoding: Encoding): void {
  const offset = scan.encoding.firstInvalidUtf8;
  if (encoding !== 'utf-8' || offset === undefined) return;
  throw unclear(`The file is read as UTF-8, but the byte at offset ${offset} is not UTF-8.`);
}

function unclear(message: string): LonghaulError {
  return new LonghaulError('SOURCE_ENCODING_UNCLEAR', message);
}
