import { DATE_FORMATS, MAX_BIGINT_DIGITS, TIMESTAMP_FORMATS } from '../model/schema.ts';

/**
 * A value's shapes: a bit for every type and format that holds it exactly. A column's shapes are the intersection of
 * its values' shapes, so shards can be profiled separately and in any order.
 */
export const INTEGER = 1;
export const DECIMAL = 1 << 1;

const FORMATS: readonly string[] = [...DATE_FORMATS, ...TIMESTAMP_FORMATS];
const FORMAT_SHIFT = 2;

/** Not a shape, but a mark of every number except an integer beyond 2^53, which DOUBLE may not hold. */
export const WITHIN_DOUBLE = 1 << (FORMAT_SHIFT + FORMATS.length);

/** A column without a value has all shapes, and the mark. No value has all. */
export const ALL_SHAPES = 2 * WITHIN_DOUBLE - 1;
export const NUMBERS = INTEGER | DECIMAL;

/** Each shape, with its format if it is the shape of a date or a timestamp. */
export const SHAPES: readonly { shape: number; format?: string }[] = [
  // Before INTEGER, because callers first ask whether a value is a number at all.
  { shape: DECIMAL },
  { shape: INTEGER },
  ...FORMATS.map((format) => ({ shape: shapeOfFormat(format), format })),
];

/** 0 if the format is not in the lists. */
export function shapeOfFormat(format: string): number {
  const index = FORMATS.indexOf(format);
  return index === -1 ? 0 : 1 << (FORMAT_SHIFT + index);
}

/** The shapes of the bytes [start, end) that are in `wanted`. The bytes are never empty and never quoted. */
export function shapesOf(bytes: Uint8Array, start: number, end: number, wanted: number): number {
  const first = bytes[start] as number;
  if (first !== MINUS && (first < ZERO || first > NINE)) return 0;
  let found = 0;
  if ((wanted & NUMBERS) !== 0) found = numberShapes(bytes, start, end, wanted);
  if (found === 0 && (wanted & ~NUMBERS) !== 0) found = momentShapes(bytes, start, end);
  return found & wanted;
}

const MINUS = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const BLANK = 0x20;

/** Any decimal of so many digits comes back from a double unchanged (DBL_DIG). */
const DIGITS_SAFE_IN_DOUBLE = 15;
const LARGEST_SAFE = '9007199254740992';

function numberShapes(bytes: Uint8Array, start: number, end: number, wanted: number): number {
  const negative = bytes[start] === MINUS;
  const from = negative ? start + 1 : start;
  const point = skipDigits(bytes, from, end);
  const whole = point - from;
  if (whole === 0 || (whole > 1 && bytes[from] === ZERO)) return 0;
  if (point === end) {
    if (whole > MAX_BIGINT_DIGITS || (negative && bytes[from] === ZERO)) return 0;
    if (whole <= DIGITS_SAFE_IN_DOUBLE) return NUMBERS | WITHIN_DOUBLE;
    return longIntegerShapes(text(bytes, from, end), wanted);
  }
  if (bytes[point] !== DOT || point + 1 === end) return 0;
  if (skipDigits(bytes, point + 1, end) !== end) return 0;
  if (negative && bytes[from] === ZERO && isZero(bytes, point + 1, end)) return 0;
  const survives =
    end - from - 1 <= DIGITS_SAFE_IN_DOUBLE || survivesDouble(text(bytes, from, end));
  return survives ? DECIMAL | WITHIN_DOUBLE : 0;
}

function longIntegerShapes(digits: string, wanted: number): number {
  const beyond = digits.length > LARGEST_SAFE.length || digits > LARGEST_SAFE;
  const decimal = (wanted & DECIMAL) !== 0 && survivesDouble(digits);
  return INTEGER | (decimal ? DECIMAL : 0) | (beyond ? 0 : WITHIN_DOUBLE);
}

/** Whether a decimal without sign comes back from a double with the same digits, except its trailing zeros. */
function survivesDouble(decimal: string): boolean {
  const trimmed = decimal.includes('.') ? decimal.replace(/\.?0+$/, '') : decimal;
  return inFixedForm(Number(decimal)) === trimmed;
}

/** JavaScript's shortest digits for this number, without an exponent. */
function inFixedForm(value: number): string {
  const match = /^(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(String(value));
  if (!match) return String(value);
  const [, first = '', rest = '', exponentText = ''] = match;
  const exponent = Number(exponentText);
  const digits = first + rest;
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`;
  return digits.length <= exponent + 1
    ? digits.padEnd(exponent + 1, '0')
    : `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

function skipDigits(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] as number) >= ZERO && (bytes[at] as number) <= NINE) at += 1;
  return at;
}

function isZero(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; at += 1) if (bytes[at] !== ZERO) return false;
  return true;
}

function text(bytes: Uint8Array, from: number, end: number): string {
  let digits = '';
  for (let at = from; at < end; at += 1) digits += String.fromCharCode(bytes[at] as number);
  return digits;
}

const DATE_KINDS = ['%Y-%m-%d', '%Y/%m/%d', '%m/%d/%Y', '%d/%m/%Y', '%d.%m.%Y'] as const;
const TIME_KINDS = [
  '',
  ' %H:%M:%S%f',
  'T%H:%M:%S%f',
  ' %H:%M',
  'T%H:%M',
  ' %I:%M:%S %p',
  ' %I:%M %p',
] as const;
/** Shape of date kind × time kind; 0 if the lists have no such format. */
const MOMENT_SHAPES = DATE_KINDS.map((date) =>
  TIME_KINDS.map((time) => shapeOfFormat(date + time)),
);

function momentShape(date: number, time: number): number {
  return MOMENT_SHAPES[date]?.[time] ?? 0;
}

/** Characters of the longest moment: `01/02/2019 03:04:05.123456`. */
const MAX_MOMENT_LENGTH = 26;

/** Years are 0001 to 9999 in four digits; month, day and hour have one or two. Only real days count. */
function momentShapes(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > MAX_MOMENT_LENGTH) return 0;
  const first = skipDigits(bytes, start, end);
  const separator = bytes[first] as number;
  const second = skipDigits(bytes, first + 1, end);
  const third = skipDigits(bytes, second + 1, end);
  if (second >= end || bytes[second] !== separator) return 0;
  const time = third === end ? 0 : timeKind(bytes, third, end);
  if (time === -1) return 0;
  const [a, b, c] = [first - start, second - first - 1, third - second - 1];
  const x = number(bytes, start, first);
  const y = number(bytes, first + 1, second);
  const z = number(bytes, second + 1, third);
  if (b < 1 || b > 2) return 0;
  if (a === 4 && c >= 1 && c <= 2 && isDay(x, y, z)) {
    if (separator === MINUS) return momentShape(0, time);
    return separator === SLASH ? momentShape(1, time) : 0;
  }
  if (c !== 4 || a < 1 || a > 2) return 0;
  if (separator === DOT) return isDay(z, y, x) ? momentShape(4, time) : 0;
  if (separator !== SLASH) return 0;
  const monthFirst = isDay(z, x, y) ? momentShape(2, time) : 0;
  return monthFirst | (isDay(z, y, x) ? momentShape(3, time) : 0);
}

/** Index in TIME_KINDS, or -1. Minutes and seconds have two digits. */
function timeKind(bytes: Uint8Array, from: number, end: number): number {
  const mark = bytes[from] as number;
  if (mark !== BLANK && mark !== LETTER_T) return -1;
  const colon = skipDigits(bytes, from + 1, end);
  const hour = number(bytes, from + 1, colon);
  if (colon - from < 2 || colon - from > 3 || bytes[colon] !== COLON) return -1;
  if (!isSixty(bytes, colon + 1, end)) return -1;
  let at = colon + 3;
  const seconds = bytes[at] === COLON && at < end;
  if (seconds && !isSixty(bytes, at + 1, end)) return -1;
  if (seconds) at += 3;
  if (end - at === 3) {
    const halfDay = isHalfDay(bytes, at);
    if (halfDay) return mark === BLANK && hour >= 1 && hour <= 12 ? (seconds ? 5 : 6) : -1;
  }
  if (hour > 23) return -1;
  if (at < end) {
    const digits = end - at - 1;
    const fraction = seconds && bytes[at] === DOT && digits >= 1 && digits <= 6;
    if (!fraction || skipDigits(bytes, at + 1, end) !== end) return -1;
  }
  return (mark === BLANK ? 1 : 2) + (seconds ? 0 : 2);
}

const LETTER_T = 0x54;
const LETTER_A = 0x41;
const LETTER_P = 0x50;
const LETTER_M = 0x4d;

function isHalfDay(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== BLANK || bytes[at + 2] !== LETTER_M) return false;
  return bytes[at + 1] === LETTER_A || bytes[at + 1] === LETTER_P;
}

function isSixty(bytes: Uint8Array, from: number, end: number): boolean {
  if (end - from < 2 || skipDigits(bytes, from, from + 2) !== from + 2) return false;
  return (bytes[from] as number) < ZERO + 6;
}

function number(bytes: Uint8Array, from: number, end: number): number {
  let value = 0;
  for (let at = from; at < end; at += 1) value = value * 10 + (bytes[at] as number) - ZERO;
  return value;
}

const MONTH_DAYS = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

function isDay(year: number, month: number, day: number): boolean {
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= (MONTH_DAYS[month] ?? 0) + (leap ? 1 : 0);
}
