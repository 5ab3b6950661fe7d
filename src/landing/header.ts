import type { Encoding } from '../model/dataset.ts';
import { decodeBytes } from './windows-1252.ts';

/** A longer header is no header but a file whose first quote never closes; it is kept in memory and in checkpoints. */
const MAX_HEADER_BYTES = 1024 * 1024;

const QUOTE_BYTE = 0x22;

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
    return splitRecord(this.bytes(), delimiter.charCodeAt(0)).map((each) =>
      decodeBytes(each, encoding),
    );
  }
}

/** One record's fields as bytes, by the scanner's own rules: a quote counts only at a field's start. */
function splitRecord(record: Buffer, delimiter: number): Buffer[] {
  const fields: Buffer[] = [];
  let at = 0;
  do {
    const bytes: number[] = [];
    if (record[at] === QUOTE_BYTE) {
      at += 1;
      while (at < record.length) {
        if (record[at] === QUOTE_BYTE && record[++at] !== QUOTE_BYTE) break;
        bytes.push(record[at++] as number);
      }
    }
    while (at < record.length && record[at] !== delimiter) bytes.push(record[at++] as number);
    fields.push(Buffer.from(bytes));
    at += 1;
  } while (at <= record.length);
  return fields;
}
