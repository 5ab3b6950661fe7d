/**
 * What Windows-1252 has at 80 to 9F; the other bytes are the code points of the same number. The five bytes
 * that it lacks become the C1 controls of their number, as in the WHATWG's table. A table of our own, because
 * Node 20's `TextDecoder('windows-1252')` decodes as Latin-1 and DuckDB has no decoder that is exact.
 */
export const WINDOWS_1252_HIGH =
  '\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f' +
  '\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178';

/** The bytes that Windows-1252 lacks. */
export const UNDEFINED_IN_WINDOWS_1252: readonly number[] = [0x81, 0x8d, 0x8f, 0x90, 0x9d];
