/** What speaks for and against a file's text being Windows-1252, where it is not UTF-8. Plain JSON. */
export interface Windows1252Evidence {
  /** Bytes from 80 on that stand where Windows-1252's character of that number may stand in a text. */
  likely: number;
  /** Those that do not: Mac Roman's `Chlo\x91` would be “Chlo‘”, a DOS code page's `caf\x82` “caf‚”. */
  unlikely: number;
  firstUnlikely?: number;
}

/** After so many, more would not change what is decided. */
const MAX_BYTES = 10_000;

/** Š Œ Ž Ÿ: no text has them right behind a small letter, or within a word before one. Mac Roman has ä å é ü there. */
const CAPITALS = new Set([0x8a, 0x8c, 0x8e, 0x9f]);
/** € ‚ ƒ „ † ‡ ˆ ‰ ‹ ‘ “ ” • ˜ ™ ›: not between two letters. */
const NOT_IN_WORDS = new Set([
  0x80, 0x82, 0x83, 0x84, 0x86, 0x87, 0x88, 0x89, 0x8b, 0x91, 0x93, 0x94, 0x95, 0x98, 0x99, 0x9b,
]);
/** ‚ „ ˆ ‰ ‹ ‘: not at the end of a word. German texts close quotations with ‘; they open as many, which are likely. */
const NOT_BEHIND_WORDS = new Set([0x82, 0x84, 0x88, 0x89, 0x8b, 0x91]);
/** The ‘okina of Hawai‘i. */
const OKINA = 0x91;

/** @param before,after the bytes beside it; -1 at the file's ends. */
export function weigh(
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
