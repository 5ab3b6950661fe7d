import type { SourceOverrides } from '../../model/dataset.ts';

/**
 * The one form in which a portal's records become CSV: RFC 4180 in UTF-8 without a byte order mark, LF, commas. The same
 * records are the same bytes, whatever pages they came in.
 */
export const CANONICAL: SourceOverrides = { encoding: 'utf-8', delimiter: ',', header: true };

/** Raised when the rules below change: the same records are then another version. */
export const RENDERING_VERSION = 1;

const NEEDS_QUOTES = /[",\r\n]|^\s|\s$/;

/**
 * Null is an empty field, the empty text is `""`: Parquet has NULL for both, the raw file keeps the difference. Of a
 * single column null is `""` too, since a blank line is no record.
 */
export function canonicalRecord(fields: readonly (string | null)[]): string {
  if (fields.length === 1 && fields[0] === null) return '""\n';
  return `${fields.map(canonicalField).join(',')}\n`;
}

function canonicalField(value: string | null): string {
  if (value === null) return '';
  return value === '' || NEEDS_QUOTES.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
