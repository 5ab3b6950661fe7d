import { isAscii, isUtf8 } from 'node:buffer';
import type { EncodingEvidence } from '../model/scan.ts';
import { UNDEFINED_IN_WINDOWS_1252 } from './encoding.ts';

/** Evidence for and against Windows-1252, for a file that is not UTF-8. Plain JSON. */
interface Windows1252Evidence {
  /** Bytes from 80 on at places where a text may have Windows-1252's character of that number. */
  likely: number;
  /** Bytes from 80 on out of place: Mac Roman's `Chlo\x91` would be “Chlo‘”, a DOS code page's `caf\x82` “caf‚”. */
  unlikely: number;
  firstUnlikely?: number;
}

/** Plain JSON. */
export interface EncodingState extends EncodingEvidence {
  windows1252: Windows1252Evidence;
  /** The last byte before `rest`; -1 before the first. */
  last: number;
  /** The last bytes, if the next ones decide what they are: an unfinished sequence, or one byte that is in none. */
  rest: number[];
}

export function initialEncodingState(): EncodingState {
  return { ascii: true, windows1252: { likely: 0, unlikely: 0 }, last: -1, rest: [] };
}

/** The byte-by-byte pass reads only blocks of this size that the native checks cannot decide. */
const BLOCK_BYTES = 4096;

/** Collects the exact evidence of a file's encoding, at the speed of the native checks. */
export class EncodingDetector {
  readonly #state: EncodingState;

  /** @param state written to in place. */
  constructor(state: EncodingState) {
    this.#state = state;
  }

  /** @param offset of the chunk's first byte in the file. */
  push(chunk: Uint8Array, offset: number): void {
    if (this.#skipAscii(chunk)) return;
    const state = this.#state;
    state.ascii = false;
    if (state.firstUndefinedWindows1252 === undefined) this.#findUndefined(chunk, offset);
    for (let at = 0; at < chunk.length; at += BLOCK_BYTES) {
      // If both offsets are known, no byte can add evidence.
      if (state.firstInvalidUtf8 !== undefined && state.firstMultibyteUtf8 !== undefined) return;
      const block = chunk.subarray(at, at + BLOCK_BYTES);
      if (this.#skipAscii(block)) continue;
      const { rest } = state;
      const bytes = rest.length === 0 ? block : Buffer.concat([Buffer.from(rest), block]);
      this.#walk(bytes, offset + at - rest.length, false);
    }
  }

  finish(endOffset: number): EncodingEvidence {
    const state = this.#state;
    this.#walk(Buffer.from(state.rest), endOffset - state.rest.length, true);
    const { ascii, windows1252, firstInvalidUtf8, firstMultibyteUtf8 } = state;
    const isPossible = firstInvalidUtf8 !== undefined && firstMultibyteUtf8 === undefined;
    const isUnlikely = isPossible && windows1252.unlikely > windows1252.likely;
    return {
      ascii,
      firstInvalidUtf8,
      firstMultibyteUtf8,
      firstUndefinedWindows1252: state.firstUndefinedWindows1252,
      ...(isUnlikely && { firstUnlikelyWindows1252: windows1252.firstUnlikely }),
    };
  }

  #skipAscii(bytes: Uint8Array): boolean {
    const state = this.#state;
    if (state.rest.length > 0 || !isAscii(bytes)) return false;
    state.last = bytes.at(-1) ?? state.last;
    return true;
  }

  /** Five native searches are many times faster than one loop. */
  #findUndefined(chunk: Uint8Array, offset: number): void {
    const found = UNDEFINED_IN_WINDOWS_1252.map((byte) => chunk.indexOf(byte)).filter(
      (at) => at !== -1,
    );
    if (found.length > 0) this.#state.firstUndefinedWindows1252 = offset + Math.min(...found);
  }

  /** @param isEnd whether the file ends with the bytes, so that nothing is left for the next ones to decide. */
  #walk(bytes: Uint8Array, offset: number, isEnd: boolean): void {
    const state = this.#state;
    let at = this.#skipValid(bytes);
    while (at < bytes.length) {
      if ((bytes[at] as number) < 0x80) {
        at += 1;
        continue;
      }
      const wanted = sequenceLength(bytes[at] as number);
      const length = validLength(bytes, at, wanted);
      if (length === wanted) state.firstMultibyteUtf8 ??= offset + at;
      else if (at + length === bytes.length && !isEnd) break;
      else state.firstInvalidUtf8 ??= offset + at;
      const before = at > 0 ? (bytes[at - 1] as number) : state.last;
      const neighbours = { before, after: bytes[at + 1] ?? -1, offset: offset + at };
      weigh(state.windows1252, bytes[at] as number, neighbours);
      at += length;
    }
    if (at > 0) state.last = bytes[at - 1] as number;
    state.rest = [...bytes.subarray(at)];
  }

  /** A multibyte character decides against Windows-1252, so the bytes after it need no weighing. @returns where to go on. */
  #skipValid(bytes: Uint8Array): number {
    if (this.#state.firstMultibyteUtf8 === undefined) return 0;
    const last = bytes.findLastIndex((byte) => (byte & 0xc0) !== 0x80);
    return last > 0 && isUtf8(bytes.subarray(0, last)) ? last : 0;
  }
}

/** Length of the UTF-8 sequence that the byte begins; 0 for a stray continuation byte, C0, C1, and F5 to FF. */
function sequenceLength(lead: number): number {
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/** The bytes from `at` on that are valid in a sequence of the wanted length. At least 1. */
function validLength(bytes: Uint8Array, at: number, wanted: number): number {
  const lead = bytes[at] as number;
  // The bounds of the second byte exclude overlong forms, surrogates and values beyond U+10FFFF.
  let lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  let highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  let length = 1;
  for (; length < wanted; length += 1) {
    const byte = bytes[at + length] ?? 0;
    if (byte < lowest || byte > highest) break;
    [lowest, highest] = [0x80, 0xbf];
  }
  return length;
}

/** Bytes that are weighed. More would not change the decision. */
const MAX_BYTES = 10_000;

/** Š Œ Ž Ÿ: texts do not have them behind a small letter, or in a word before one. Mac Roman has ä å é ü there. */
const CAPITALS = new Set([0x8a, 0x8c, 0x8e, 0x9f]);
/** € ‚ ƒ „ † ‡ ˆ ‰ ‹ ‘ “ ” • ˜ ™ ›: texts do not have them between two letters. */
const NOT_IN_WORDS = new Set([
  0x80, 0x82, 0x83, 0x84, 0x86, 0x87, 0x88, 0x89, 0x8b, 0x91, 0x93, 0x94, 0x95, 0x98, 0x99, 0x9b,
]);
/** ‚ „ ˆ ‰ ‹ ‘: not at the end of a word. German texts close quotations with ‘; the opening signs count as likely. */
const NOT_BEHIND_WORDS = new Set([0x82, 0x84, 0x88, 0x89, 0x8b, 0x91]);
/** The ‘okina, as in Hawai‘i. */
const OKINA = 0x91;

/** @param before,after neighbours of the byte; -1 at the file's ends. */
function weigh(
  evidence: Windows1252Evidence,
  byte: number,
  { before, after, offset }: { before: number; after: number; offset: number },
): void {
  if (evidence.likely + evidence.unlikely >= MAX_BYTES) return;
  if (isUnlikely(byte, before, after)) {
    evidence.unlikely += 1;
    evidence.firstUnlikely ??= offset;
  } else if (byte < 0xa0 || isLetter(before) || isLetter(after)) evidence.likely += 1;
}

function isUnlikely(byte: number, before: number, after: number): boolean {
  if (!isLetter(before)) return false;
  if (CAPITALS.has(byte)) return isSmall(before) || isSmall(after);
  if (!isLetter(after)) return isSmall(before) && NOT_BEHIND_WORDS.has(byte);
  if (byte === OKINA && isVowel(before) && isVowel(after)) return false;
  return NOT_IN_WORDS.has(byte);
}

function isLetter(byte: number): boolean {
  return isSmall(byte | 0x20) && byte < 0x80;
}

function isSmall(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}

function isVowel(byte: number): boolean {
  return 'aeiouAEIOU'.includes(String.fromCharCode(byte));
}
