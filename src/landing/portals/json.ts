import { printable } from '../../model/names.ts';

/** A number with the digits of the text. A double loses digits beyond 2^53, and may print an exponent. */
export class JsonNumber {
  readonly digits: string;

  constructor(digits: string) {
    this.digits = digits;
  }
}

export type ExactJson =
  string | boolean | null | JsonNumber | ExactJson[] | { [key: string]: ExactJson };

/** Matches strings, so that numbers in them are skipped, and numbers. Some servers write `NaN` and `Infinity`. */
const TOKEN =
  /"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:NaN|Infinity)|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** JSON text cannot hold this character unescaped. A string that begins with it has its escape in the text. */
const MARK = '\u0000';
const ESCAPED_MARK = String.raw`"\u0000`;

/**
 * Parses JSON and keeps the digits of all numbers. `NaN` and `Infinity`, which are not JSON, become numbers too. In
 * Node 20 a reviver does not get the source text, so numbers become marked strings before the text is parsed.
 * @throws SyntaxError.
 */
export function parseExactJson(text: string): ExactJson {
  const marked = text.replaceAll(TOKEN, (token) => {
    if (!token.startsWith('"')) return `${ESCAPED_MARK}n${token}"`;
    return token.startsWith(ESCAPED_MARK) ? `${ESCAPED_MARK}s${token.slice(1)}` : token;
  });
  return JSON.parse(marked, (_, value: unknown) => unmarked(value)) as ExactJson;
}

function unmarked(value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(MARK)) return value;
  return value[1] === 'n' ? new JsonNumber(value.slice(2)) : value.slice(2);
}

/** Returns the value as JSON text without blanks. Numbers keep their digits. */
export function exactText(value: ExactJson): string {
  if (value instanceof JsonNumber) return value.digits;
  if (Array.isArray(value)) return `[${value.map(exactText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(
    ([key, each]) => `${JSON.stringify(key)}:${exactText(each)}`,
  );
  return `{${fields.join(',')}}`;
}

/** Returns a field of a portal's answer, or undefined if the answer is not an object or has no such field. */
export function fieldOf(answer: unknown, name: string): unknown {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return undefined;
  return Object.hasOwn(answer, name) ? (answer as Record<string, unknown>)[name] : undefined;
}

/** Returns undefined for anything but a string that is not blank. */
export function textOf(answer: unknown, name: string): string | undefined {
  const value = fieldOf(answer, name);
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}

export function numberOf(answer: unknown, name: string): number | undefined {
  const value = fieldOf(answer, name);
  const number = value instanceof JsonNumber ? Number(value.digits) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** Returns an empty list for anything but a list. */
export function listOf(answer: unknown, name: string): unknown[] {
  const value = fieldOf(answer, name);
  return Array.isArray(value) ? value : [];
}

/** A title or a licence has one line. */
const MAX_LINE_LENGTH = 300;

/** Returns a publisher's text, which may be HTML, as one plain line, or undefined if no text is left. */
export function lineOf(answer: unknown, name: string): string | undefined {
  const plain = (textOf(answer, name) ?? '')
    .slice(0, MAX_LINE_LENGTH * 10)
    .replaceAll(/<[^<>]*>/g, ' ')
    .replaceAll(/&(amp|lt|gt|quot|nbsp|#39);/g, (_, entity: string) => ENTITIES[entity] ?? ' ');
  const line = printable(plain.replaceAll(/\s+/g, ' ').trim()).slice(0, MAX_LINE_LENGTH);
  return line === '' ? undefined : line;
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
};

/** Returns milliseconds since 1970 as ISO 8601 in UTC, or undefined if `Date` cannot hold the time. */
export function isoTimeOf(epochMs: number | undefined): string | undefined {
  const date = new Date(epochMs ?? NaN);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
