import type { Random } from './random.ts';

/** The form of a file of one dataset and year. */
export interface FileShape {
  /** Byte order mark and header, with the header's line end. */
  preamble: Buffer;
  /** Parts of a record, in order. */
  parts: readonly RecordPart[];
  /** False if the last record has no line end. */
  endsWithLineEnd: boolean;
}

/** Writes one part of a record and returns the offset behind it. */
export type RecordPart = (target: Buffer, at: number, record: RecordContext) => number;

export interface RecordContext {
  /** 0 is the first data record. */
  index: number;
  random: Random;
}

/** Texts are encoded once into a pool, so that each record costs only a copy. */
const POOL_SIZE = 4096;

/** One record in this many has rare values, so that small files have all of them too. */
const ODD_EVERY = 101;

/**
 * A part that copies one of many fragments made beforehand.
 * @param make makes one fragment, with its delimiters.
 * @param oddities fragments of the rare records, used in turn.
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

/** A part that writes `before`, the next number and `after`. */
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

/** The columns of a header as a list. The text is `A, B` on any number of lines. */
export function columns(text: string): string[] {
  return text.trim().split(/,\s*/);
}

/** Fields as a publisher writes them: quoted if they must be, or all quoted. */
export function csv(fields: readonly string[], quoting: 'needed' | 'all'): string {
  return fields.map((field) => (quoting === 'all' ? quoted(field) : csvField(field))).join(',');
}

function csvField(field: string): string {
  return /[",\r\n]/.test(field) ? quoted(field) : field;
}

function quoted(field: string): string {
  return `"${field.replaceAll('"', '""')}"`;
}
