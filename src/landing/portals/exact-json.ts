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
