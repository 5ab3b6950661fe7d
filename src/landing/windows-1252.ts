import type { Encoding } from '../model/dataset.ts';
import { WINDOWS_1252_HIGH } from '../model/windows-1252.ts';

/** Bytes that are not valid UTF-8 become U+FFFD. For short texts: names, not whole files. */
export function decodeBytes(bytes: Buffer, encoding: Encoding): string {
  if (encoding === 'utf-8') return bytes.toString('utf8');
  return bytes
    .toString('latin1')
    .replaceAll(/[\u0080-\u009f]/g, (char) => WINDOWS_1252_HIGH[char.charCodeAt(0) - 0x80] ?? char);
}
