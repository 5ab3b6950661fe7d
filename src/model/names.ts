import { LonghaulError } from './errors.ts';

/** Characters. Enough for any real name, and short enough for a path segment on every file system. */
export const MAX_NAME_LENGTH = 80;
const NAME_FORM = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
/** The id of a source may contain dots and underscores (`2024_q1`), but may not start or end with one. */
const SOURCE_ID_FORM = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/** Columns that the lake itself adds to every view. */
const RESERVED_COLUMNS = new Set(['source', 'ingest_date']);

/** @throws LonghaulError NAME_INVALID (`../..`, spaces, upper case). */
export function parseDatasetName(text: string): string {
  if (text.length > MAX_NAME_LENGTH || !NAME_FORM.test(text)) {
    throw new LonghaulError(
      'NAME_INVALID',
      `${quoteForPeople(text)} is not a dataset name: lower-case letters, digits and dashes, at most ${MAX_NAME_LENGTH}.`,
    );
  }
  return text;
}

/** @throws LonghaulError NAME_INVALID. */
export function parseSourceId(text: string): string {
  if (text.length > MAX_NAME_LENGTH || !SOURCE_ID_FORM.test(text) || text.includes('..')) {
    throw new LonghaulError(
      'NAME_INVALID',
      `${quoteForPeople(text)} is not a source id: letters, digits, dots, dashes and underscores, at most ${MAX_NAME_LENGTH}.`,
    );
  }
  return text;
}

/** The name of a dataset's view, which needs no quotes in SQL: `denver_311`, `_order` for `order`, `_311` for `311`. */
export function viewNameOf(dataset: string): string {
  const name = dataset.replaceAll('-', '_');
  return /^\d/.test(name) || RESERVED_WORDS.has(name) ? `_${name}` : name;
}

/**
 * Makes a file name for the raw zone from the last path segment of an address. If the segment is not a file name, it
 * makes `<id>.csv` (all Denver Hub addresses end in `/csv`, ArcGIS items in `/data`).
 */
export function fileNameOf(address: string, sourceId: string): string {
  const path = address.replace(/[?#].*$/s, '');
  const segment = path.slice(path.lastIndexOf('/') + 1);
  const safe = safeDecode(segment)
    // `Unfalle` for `Unfälle` is still readable, `Unf_lle` is not.
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^[._]+/, '')
    .slice(-MAX_NAME_LENGTH);
  const isReadable =
    /^[A-Za-z0-9_-].*\.[A-Za-z0-9]+$/.test(safe) && !safe.endsWith('.manifest.json');
  return isReadable ? safe : `${sourceId}.csv`;
}

export interface NamedColumn {
  /** snake_case, unique in its file, never a reserved name. */
  name: string;
  /** The name as the publisher wrote it, decoded, with its control characters. */
  publisherName: string;
}

/**
 * Normalised, unique names for a header. `Case Summary`, `Case_Summary` and `CASE SUMMARY` all become
 * `case_summary`, so that the columns of several years match. A duplicate gets `_2`, `_3`. A blank name becomes
 * `column_<n>`. `source` and `ingest_date` get a `_`, because readers silently prefer the folder's value.
 */
export function nameColumns(header: readonly string[]): NamedColumn[] {
  const taken = new Set<string>(RESERVED_COLUMNS);
  return header.map((publisherName, index) => {
    const wanted = snakeCase(publisherName) || `column_${index + 1}`;
    const base = RESERVED_COLUMNS.has(wanted) ? `${wanted}_` : wanted;
    let name = base;
    for (let n = 2; taken.has(name); n += 1) name = `${base}_${n}`;
    taken.add(name);
    return { name, publisherName };
  });
}

/** Letters and digits of any script stay. `caseSummary` becomes `case_summary`; `OBJECTID_1` and `IDs` stay whole. */
function snakeCase(text: string): string {
  return text
    .normalize('NFC')
    .replaceAll(/([\p{Ll}\d])(\p{Lu})(?=\p{Ll}|$)/gu, '$1_$2')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, '_')
    .replaceAll(/^_+|_+$/g, '');
}

/**
 * Makes untrusted text safe for a terminal or a log line: C0, C1 and bidirectional control characters
 * become visible escapes.
 */
export function printable(text: string): string {
  return text.replaceAll(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Quotes an identifier for SQL. A publisher's header may get into a statement only in this way. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes a string literal for SQL. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function quoteForPeople(text: string): string {
  return JSON.stringify(printable(text.slice(0, MAX_NAME_LENGTH)));
}

function safeDecode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Words that need quotes as a view's name: those of DuckDB 1.5 (a test compares them), and Spark's `minus`. */
const RESERVED_WORDS: ReadonlySet<string> = new Set(
  (
    'all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by case cast check ' +
    'collate collation column concurrently constraint create cross default deferrable desc describe distinct do else ' +
    'end except false fetch for foreign freeze from full glob group having ilike in initially inner intersect into is ' +
    'isnull join lambda lateral leading left like limit minus natural not notnull null offset on only or order outer ' +
    'overlaps pivot pivot_longer pivot_wider placing positional primary qualify references returning right select ' +
    'semi show similar some summarize symmetric table tablesample then to trailing true union unique unpack unpivot ' +
    'using variadic verbose when where window with'
  ).split(' '),
);
