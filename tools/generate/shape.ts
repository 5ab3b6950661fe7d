import type { Random } from './random.ts';

/** What a file of one dataset and year looks like. */
export interface FileShape {
  /** Byte order mark and header, with the header's line end. */
  preamble: Buffer;
  /** A record is each part in turn. */
  parts: readonly RecordPart[];
  /** False: the last record ends with the file. */
  endsWithLineEnd: boolean;
}

/** Writes one part of a record and returns the offset behind it. */
export type RecordPart = (target: Buffer, at: number, record: RecordContext) => number;

export interface RecordContext {
  /** 0 is the first data record. */
  index: number;
  random: Random;
}

/** Many texts to pick from are encoded once: what costs time for each record is a copy. */
const POOL_SIZE = 4096;

/** One record in this many gets the rare things, so that small files have all of them too. */
const ODD_EVERY = 101;

/**
 * A part that copies one of many fragments made beforehand.
 * @param make one fragment, with its delimiters.
 * @param oddities of the rare records, one after the other.
 */
export function pooled(
  random: Random,
  encode: (text: string) => Buffer,
  make: (random: Random) => string,
  oddities: readonly string[] = [],
): RecordPart {
  const pool = Array.from({ length: POOL_SIZE }, () => encode(make(random)));
  const odd = oddities.map(encode);
  return (target, at, record) => {
    const fragment =
      odd.length > 0 && record.index % ODD_EVERY === 3
        ? odd[((record.index - 3) / ODD_EVERY) % odd.length]
        : pool[record.random.next() % POOL_SIZE];
    if (fragment === undefined) return at;
    target.set(fragment, at);
    return at + fragment.length;
  };
}

/** A part that counts: `before`, the number, `after`. */
export function counter(start: number, before: string, after: string): RecordPart {
  const head = Buffer.from(before);
  const tail = Buffer.from(after);
  return (target, at, record) => {
    target.set(head, at);
    const end = writeNumber(target, at + head.length, start + record.index);
    target.set(tail, end);
    return end + tail.length;
  };
}

/** @returns the offset behind the digits. */
export function writeNumber(target: Buffer, at: number, value: number): number {
  const end = at + digitsOf(value);
  let rest = value;
  for (let position = end - 1; position >= at; position--) {
    const quotient = Math.floor(rest / 10);
    target[position] = 0x30 + (rest - quotient * 10);
    rest = quotient;
  }
  return end;
}

export function digitsOf(value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits += 1;
  return digits;
}

/** A header as a list: `A, B` on as many lines as it takes. */
export function columns(text: string): string[] {
  return text.trim().split(/,\s*/);
}

/** Fields as a publisher writes them: quoted where they must be, or all. */
export function csv(fields: readonly string[], quoting: 'needed' | 'all'): string {
  return fields.map((field) => (quoting === 'all' ? quoted(field) : csvField(field))).join(',');
}

function csvField(field: string): string {
  return /[",\r\n]/.test(field) ? quoted(field) : field;
}

function quoted(field: string): string {
  return `"${field.replaceAll('"', '""')}"`;
}
