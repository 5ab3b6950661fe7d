import type { Encoding } from '../model/dataset.ts';
import { WINDOWS_1252_HIGH } from '../model/windows-1252.ts';
import { fieldsOfRecord } from './head-records.ts';

/** A longer header is no header but a file whose first quote never closes; it is kept in memory and in checkpoints. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** Collects the header's raw bytes: its encoding is known only when the whole file has passed. */
export class HeaderCapture {
  readonly #pieces: Buffer[] = [];
  #length = 0;
  /** True: only the first `MAX_HEADER_BYTES` were kept. */
  tooLong = false;

  constructor(bytes: Buffer) {
    this.append(bytes);
  }

  append(piece: Uint8Array): void {
    const room = MAX_HEADER_BYTES - this.#length;
    if (piece.length > room) this.tooLong = true;
    if (room === 0 || piece.length === 0) return;
    const kept = Buffer.from(piece.subarray(0, room));
    this.#pieces.push(kept);
    this.#length += kept.length;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  /** The names, unquoted and decoded. */
  fields(delimiter: string, encoding: Encoding): string[] {
    return fieldsOfRecord(this.bytes().toString('latin1'), delimiter).map(({ text }) =>
      decodeBytes(Buffer.from(text, 'latin1'), encoding),
    );
  }
}

/** Bytes that are not valid UTF-8 become U+FFFD. For short texts: names, not whole files. */
export function decodeBytes(bytes: Buffer, encoding: Encoding): string {
  if (encoding === 'utf-8') return bytes.toString('utf8');
  return bytes
    .toString('latin1')
    .replaceAll(/[\u0080-\u009f]/g, (char) => WINDOWS_1252_HIGH[char.charCodeAt(0) - 0x80] ?? char);
}
