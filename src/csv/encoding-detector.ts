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

/** Plain JSON. The next chunk may continue the current UTF-8 sequence. */
export interface EncodingState extends EncodingEvidence {
  /** Continuation bytes that the current sequence still needs. */
  missing: number;
  /** Bounds of the sequence's next byte. They exclude overlong forms, surrogates and values beyond U+10FFFF. */
  lowest: number;
  highest: number;
  sequenceStart: number;
  windows1252: Windows1252Evidence;
  /** The last byte that was read; -1 before the first. */
  last: number;
  /** The last byte, if the next one decides whether it is likely in Windows-1252. */
  unweighed: { byte: number; before: number; offset: number } | null;
}

export function initialEncodingState(): EncodingState {
  return {
    ascii: true,
    missing: 0,
    lowest: 0x80,
    highest: 0xbf,
    sequenceStart: 0,
    windows1252: { likely: 0, unlikely: 0 },
    last: -1,
    unweighed: null,
  };
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
    const state = this.#state;
    if (chunk.length === 0) return;
    if (state.missing === 0 && isAscii(chunk)) {
      this.#weighLast(chunk[0] as number);
      state.last = chunk.at(-1) as number;
      return;
    }
    if (state.firstUndefinedWindows1252 === undefined) this.#findUndefined(chunk, offset);
    for (let at = 0; at < chunk.length; at += BLOCK_BYTES) {
      const block = chunk.subarray(at, at + BLOCK_BYTES);
      this.#weighLast(block[0] as number);
      if (state.missing > 0 || !isAscii(block)) {
        state.ascii = false;
        this.#checkUtf8(block, offset + at);
      }
      state.last = block.at(-1) as number;
    }
  }

  finish(endOffset: number): EncodingEvidence {
    const state = this.#state;
    this.#weighLast(-1);
    const { ascii, missing, sequenceStart, windows1252, firstMultibyteUtf8 } = state;
    if (missing > 0 && endOffset > sequenceStart) state.firstInvalidUtf8 ??= sequenceStart;
    const { firstInvalidUtf8, firstUndefinedWindows1252 } = state;
    const isPossible = firstInvalidUtf8 !== undefined && firstMultibyteUtf8 === undefined;
    const isUnlikely = isPossible && windows1252.unlikely > windows1252.likely;
    return {
      ascii,
      firstInvalidUtf8,
      firstMultibyteUtf8,
      firstUndefinedWindows1252,
      ...(isUnlikely && { firstUnlikelyWindows1252: windows1252.firstUnlikely }),
    };
  }

  #weighLast(after: number): void {
    const { unweighed, windows1252 } = this.#state;
    if (!unweighed) return;
    weigh(windows1252, unweighed.byte, { ...unweighed, after });
    this.#state.unweighed = null;
  }

  /** Five native searches are many times faster than one loop. */
  #findUndefined(chunk: Uint8Array, offset: number): void {
    const found = UNDEFINED_IN_WINDOWS_1252.map((byte) => chunk.indexOf(byte)).filter(
      (at) => at !== -1,
    );
    if (found.length > 0) this.#state.firstUndefinedWindows1252 = offset + Math.min(...found);
  }

  #checkUtf8(block: Uint8Array, offset: number): void {
    const state = this.#state;
    if (state.firstMultibyteUtf8 === undefined) this.#walk(block, offset);
    else if (state.firstInvalidUtf8 === undefined) {
      const cut = state.missing === 0 ? lastBoundary(block) : 0;
      if (cut > 0 && isUtf8(block.subarray(0, cut))) this.#walk(block.subarray(cut), offset + cut);
      else this.#walk(block, offset);
    } else state.missing = 0; // Both offsets are known, so no byte can add evidence.
  }

  #walk(block: Uint8Array, offset: number): void {
    const state = this.#state;
    for (let at = 0; at < block.length; at += 1) {
      const byte = block[at] as number;
      if (state.missing > 0) {
        if (byte >= state.lowest && byte <= state.highest) {
          state.missing -= 1;
          state.lowest = 0x80;
          state.highest = 0xbf;
          if (state.missing === 0) state.firstMultibyteUtf8 ??= state.sequenceStart;
          continue;
        }
        state.missing = 0;
        state.firstInvalidUtf8 ??= state.sequenceStart;
      }
      if (byte < 0x80) continue;
      this.#weigh(block, at, offset);
      this.#lead(byte, offset + at);
    }
  }

  #weigh(block: Uint8Array, at: number, blockOffset: number): void {
    const state = this.#state;
    const byte = block[at] as number;
    const before = at > 0 ? (block[at - 1] as number) : state.last;
    const offset = blockOffset + at;
    const after = block[at + 1];
    if (after === undefined) state.unweighed = { byte, before, offset };
    else weigh(state.windows1252, byte, { before, after, offset });
  }

  /** Begins a sequence at its first byte. A stray continuation byte, C0, C1, and F5 to FF begin none. */
  #lead(byte: number, offset: number): void {
    const state = this.#state;
    if (byte < 0xc2 || byte > 0xf4) {
      state.firstInvalidUtf8 ??= offset;
      return;
    }
    state.missing = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    state.sequenceStart = offset;
    state.lowest = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    state.highest = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
  }
}

/** Start of a block's last, perhaps unfinished, sequence. If the block ends in ASCII, its length. */
function lastBoundary(block: Uint8Array): number {
  for (let back = 1; back <= 4 && back <= block.length; back += 1) {
    const byte = block[block.length - back] as number;
    if (byte < 0x80) return block.length - back + 1;
    if (byte >= 0xc0) return block.length - back;
  }
  return 0;
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
