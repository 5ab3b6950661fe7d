import type { ColumnMetaData, FileMetaData, SchemaElement } from 'hyparquet';
import type { DataFile } from './manifest-files.ts';
import { PARTITION_FIELDS, type IcebergField, type IcebergType } from './table-schema.ts';

/** Characters of text that a bound keeps. Iceberg's own writers also keep 16 by default (`truncate(16)`). */
const BOUND_CHARACTERS = 16;

/** Whether readers of a table with these columns read each column of the file correctly: see `fitsType`. */
export function fits(footer: FileMetaData, fields: readonly IcebergField[]): boolean {
  const elements = columnsOf(footer);
  return fields.every((field) => {
    const element = elements.get(field.name);
    return element === undefined || fitsType(element, field.type);
  });
}

/**
 * Readers refuse or misread a file whose column has another type than the table's column. Iceberg allows some
 * promotions, but none of them is between types that Longhaul writes.
 */
function fitsType(element: SchemaElement, type: IcebergType): boolean {
  const { type: physical, converted_type: converted, logical_type: logical } = element;
  switch (type) {
    case 'long':
      return physical === 'INT64' && (converted === undefined || converted === 'INT_64');
    case 'double':
      return physical === 'DOUBLE';
    case 'date':
      return physical === 'INT32' && converted === 'DATE';
    case 'timestamp':
      return (
        physical === 'INT64' &&
        logical?.type === 'TIMESTAMP' &&
        !logical.isAdjustedToUTC &&
        logical.unit === 'MICROS'
      );
    case 'string':
      return physical === 'BYTE_ARRAY' && (converted === 'UTF8' || logical?.type === 'STRING');
  }
}

function columnsOf(footer: FileMetaData): Map<string, SchemaElement> {
  // The first element is the root. Longhaul's files have no nested columns.
  return new Map(footer.schema.slice(1).map((element) => [element.name, element]));
}

/**
 * The manifest entry of a file that `fits`. Engines prune by its sizes, counts and bounds from the footer.
 * @param path the path by which readers open the file.
 */
export function dataFileOf(
  path: string,
  { footer, bytes }: { footer: FileMetaData; bytes: number },
  partition: DataFile['partition'],
  fields: readonly IcebergField[],
): DataFile {
  const file: DataFile = {
    ...{ content: 0, file_path: path, file_format: 'PARQUET', partition },
    record_count: Number(footer.num_rows),
    file_size_in_bytes: bytes,
    ...{ column_sizes: [], value_counts: [], null_value_counts: [] },
    ...{ lower_bounds: [], upper_bounds: [] },
  };
  const present = columnsOf(footer);
  for (const { id, name, type } of fields) {
    if (!present.has(name) || PARTITION_FIELDS.some((own) => own.id === id)) continue;
    const chunks = footer.row_groups.flatMap(({ columns }) =>
      columns.flatMap(({ meta_data: data }) => (data?.path_in_schema[0] === name ? [data] : [])),
    );
    file.column_sizes.push({ key: id, value: sumOf(chunks, (each) => each.total_compressed_size) });
    file.value_counts.push({ key: id, value: sumOf(chunks, (each) => each.num_values) });
    addStatistics(file, id, type, chunks);
  }
  return file;
}

function sumOf(
  chunks: readonly ColumnMetaData[],
  of: (chunk: ColumnMetaData) => bigint | number,
): number {
  return chunks.reduce((sum, chunk) => sum + Number(of(chunk)), 0);
}

/** If the writer left out a statistic, the entry has none: engines must not prune by an unknown bound. */
function addStatistics(
  file: DataFile,
  id: number,
  type: IcebergType,
  chunks: readonly ColumnMetaData[],
): void {
  const nulls = chunks.map(({ statistics }) => statistics?.null_count);
  if (!nulls.includes(undefined)) {
    const value = nulls.reduce<number>((sum, count) => sum + Number(count ?? 0), 0);
    file.null_value_counts.push({ key: id, value });
  }
  const full = chunks.filter(({ num_values: values, statistics }) => {
    const count = statistics?.null_count;
    return count === undefined || count < values;
  });
  const least = extreme(
    type,
    full.map(({ statistics }) => statistics?.min_value),
    1,
  );
  const greatest = extreme(
    type,
    full.map(({ statistics }) => statistics?.max_value),
    -1,
  );
  const isText = type === 'string';
  const lower = least && isText ? lowerText(least) : least;
  const upper = greatest && isText ? upperText(greatest) : greatest;
  if (lower) file.lower_bounds.push({ key: id, value: lower });
  if (upper) file.upper_bounds.push({ key: id, value: upper });
}

/**
 * @param order 1: the least, -1: the greatest.
 * @returns undefined if a value is unknown, or if there are no values.
 */
function extreme(type: IcebergType, values: readonly unknown[], order: 1 | -1): Buffer | undefined {
  let best: Buffer | undefined;
  for (const value of values) {
    const bytes = bytesOf(type, value);
    if (!bytes) return undefined;
    if (!best || order * compare(type, bytes, best) < 0) best = bytes;
  }
  return best;
}

/** The specification's "binary single-value serialization". */
function bytesOf(type: IcebergType, value: unknown): Buffer | undefined {
  if (type === 'string') return value instanceof Uint8Array ? Buffer.from(value) : undefined;
  if (type === 'date') return typeof value === 'number' ? int32(value) : undefined;
  if (type === 'double') {
    if (typeof value !== 'number') return undefined;
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return bytes;
  }
  if (typeof value !== 'bigint') return undefined;
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

/** The specification's "binary single-value serialization" of a date, in days. */
export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function compare(type: IcebergType, a: Buffer, b: Buffer): number {
  if (type === 'string') return Buffer.compare(a, b);
  if (type === 'double') return a.readDoubleLE() - b.readDoubleLE();
  if (type === 'date') return a.readInt32LE() - b.readInt32LE();
  return a.readBigInt64LE() < b.readBigInt64LE() ? -1 : 1;
}

/** A bound must be text. If a writer cut the text within a character, that character is left out. */
function lowerText(bytes: Buffer): Buffer | undefined {
  const whole = wholeCharacters(bytes);
  return whole === undefined ? undefined : Buffer.from(firstCharacters(whole));
}

/** Cut text sorts before the whole text, so its last character is raised. Undefined if none can be raised. */
function upperText(bytes: Buffer): Buffer | undefined {
  const whole = wholeCharacters(bytes);
  if (whole === undefined) return undefined;
  const first = firstCharacters(whole);
  if (first === whole && Buffer.byteLength(whole) === bytes.length) return bytes;
  const characters = Array.from(first);
  for (let at = characters.length - 1; at >= 0; at -= 1) {
    const next = nextCharacter(characters[at] ?? '');
    if (next !== undefined) return Buffer.from(characters.slice(0, at).join('') + next);
  }
  return undefined;
}

const SURROGATES = { first: 0xd800, last: 0xdfff };
const LAST_CHARACTER = 0x10ffff;

function nextCharacter(character: string): string | undefined {
  const next = (character.codePointAt(0) ?? 0) + 1;
  if (next > LAST_CHARACTER) return undefined;
  const isSurrogate = next >= SURROGATES.first && next <= SURROGATES.last;
  return String.fromCodePoint(isSurrogate ? SURROGATES.last + 1 : next);
}

function firstCharacters(text: string): string {
  return Array.from(text).slice(0, BOUND_CHARACTERS).join('');
}

/** Leaves out a last character that is incomplete. @returns undefined if the rest is not text either. */
function wholeCharacters(bytes: Buffer): string | undefined {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return decoder.decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
}
