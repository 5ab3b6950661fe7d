import { printable } from '../../model/names.ts';

/** A number as its digits stand in the text: a double loses digits beyond 2^53, and writes exponents of its own. */
export class JsonNumber {
  readonly digits: string;

  constructor(digits: string) {
    this.digits = digits;
  }
}

export type ExactJson =
  string | boolean | null | JsonNumber | ExactJson[] | { [key: string]: ExactJson };

/** Strings, which are passed over, and numbers; `NaN` and `Infinity`, which some servers write, too. */
const TOKEN =
  /"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:NaN|Infinity)|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** No JSON text holds this character as it is, so a string of the text that begins with it holds it escaped. */
const MARK = '\u0000';
const ESCAPED_MARK = String.raw`"\u0000`;

/**
 * JSON with every number's digits as they are, and with `NaN` and `Infinity`, which are no JSON, as numbers of these
 * names. Node 20 tells revivers no source text, so numbers are made marked strings before the text is parsed.
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

/** The value as JSON text, without blanks, numbers as they came. */
export function exactText(value: ExactJson): string {
  if (value instanceof JsonNumber) return value.digits;
  if (Array.isArray(value)) return `[${value.map(exactText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(
    ([key, each]) => `${JSON.stringify(key)}:${exactText(each)}`,
  );
  return `{${fields.join(',')}}`;
}

/** A field of a portal's answer; undefined where the answer is no object, or has no such field. */
export function fieldOf(answer: unknown, name: string): unknown {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return undefined;
  return Object.hasOwn(answer, name) ? (answer as Record<string, unknown>)[name] : undefined;
}

/** Undefined for anything but a text that says something. */
export function textOf(answer: unknown, name: string): string | undefined {
  const value = fieldOf(answer, name);
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}

export function numberOf(answer: unknown, name: string): number | undefined {
  const value = fieldOf(answer, name);
  const number = value instanceof JsonNumber ? Number(value.digits) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** Empty for anything but a list. */
export function listOf(answer: unknown, name: string): unknown[] {
  const value = fieldOf(answer, name);
  return Array.isArray(value) ? value : [];
}

/** A title or a licence is shown in one line. */
const MAX_LINE_LENGTH = 300;

/** A stranger's text, which may be HTML, as one line; undefined where it says nothing. */
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

/** Milliseconds since 1970 as ISO 8601 in UTC; undefined for a moment that no calendar has. */
export function isoTimeOf(epochMs: number | undefined): string | undefined {
  const date = new Date(epochMs ?? NaN);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
