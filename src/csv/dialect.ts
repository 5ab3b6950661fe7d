import type { SourceOverrides } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { Dialect } from '../model/scan.ts';
import { likeliestDelimiter } from './delimiter.ts';
import {
  kindOf,
  recordsOfHead,
  type CellKind,
  type Head,
  type HeadRecord,
} from './head-records.ts';

/** Bytes from which the dialect is found: they have many records of any real file, and take one short request. */
export const HEAD_BYTES = 1024 * 1024;

const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** The line that Excel writes and reads before the header. Programs that do not know it pad it with delimiters. */
const SEP_LINE = /^"?sep=([\t\u0020-\u0021\u0023-\u007e])"?\1*(?:\r\n|\r|\n)/i;

/**
 * Finds from a file's first bytes how it is written. The whole records in them decide; if they leave a choice, this
 * function throws and does not guess.
 * @param head the first `HEAD_BYTES`, or all bytes.
 * @param complete whether `head` is the whole file.
 * @throws LonghaulError SOURCE_EMPTY, SOURCE_DELIMITER_UNCLEAR, SOURCE_HEADER_UNCLEAR.
 */
export function sniffHead(head: Buffer, complete: boolean, overrides: SourceOverrides): Dialect {
  if (complete && head.length === 0) {
    throw new LonghaulError('SOURCE_EMPTY', 'The file has no byte.');
  }
  const bomBytes = head.subarray(0, UTF8_MARK.length).equals(UTF8_MARK) ? UTF8_MARK.length : 0;
  if (complete && isBlank(head.subarray(bomBytes))) {
    throw new LonghaulError('SOURCE_EMPTY', `The file has ${head.length} bytes of blank lines.`);
  }
  const sep = SEP_LINE.exec(head.toString('latin1', bomBytes));
  const sepLineBytes = sep?.[0].length ?? 0;
  const text = head.toString('latin1', bomBytes + sepLineBytes);
  const hasHeader = overrides.header !== false;
  const delimiter =
    overrides.delimiter ?? sep?.[1] ?? likeliestDelimiter({ text, complete }, hasHeader);
  if (overrides.header === undefined) assertHeader({ text, complete }, delimiter, sep ? 2 : 1);
  return {
    delimiter,
    ...(overrides.delimiter === undefined && { delimiterFrom: sep ? 'sep=' : 'head' }),
    quote: '"',
    bomBytes,
    ...(sepLineBytes > 0 && { sepLineBytes }),
    ...(hasHeader ? {} : { header: false }),
  };
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x0a || byte === 0x0d);
}

/** Characters of a record that a message shows. */
const MAX_SHOWN_CHARACTERS = 100;

/** Digits of an integer that is data. Fewer digits may be a year or a rank, and name a column of a wide table. */
const MIN_TELLING_DIGITS = 5;

/** Numbers in order that name a wide table's columns (years, doses, wavelengths). Data records rarely have so many. */
const MIN_AXIS_LENGTH = 3;

/** Repeated cells that speak against a header. One may be chance. */
const MIN_REPEATED_CELLS = 2;

/**
 * Throws if the first record may be data, because its values would become the columns' names.
 * @param firstLine the head's first line in the file.
 * @throws LonghaulError SOURCE_HEADER_UNCLEAR.
 */
function assertHeader(head: Head, delimiter: string, firstLine: number): void {
  const [header, ...data] = recordsOfHead(head, delimiter);
  if (!header) return;
  const names = header.fields.map(({ text }) => text);
  const columns = names.map((_, index) => data.map(({ fields }) => fields[index]?.text ?? ''));
  const why =
    whyNoNames(names, columns) ??
    whyTitle(names, data[0]) ??
    whyLikeItsColumn(names, columns, data) ??
    whyRepeated(names, columns);
  if (why === undefined) return;
  const line = firstLine + (head.text.slice(0, header.start).match(/\r\n|\r|\n/g)?.length ?? 0);
  const shown = printable(Buffer.from(names.join(' | '), 'latin1').toString('utf8'));
  throw new LonghaulError(
    'SOURCE_HEADER_UNCLEAR',
    `The first record, in line ${line}, may not be the header: ${why}. It is: ${shown.slice(0, MAX_SHOWN_CHARACTERS)}`,
  );
}

function whyNoNames(
  names: readonly string[],
  columns: readonly (readonly string[])[],
): string | undefined {
  const isName = names.some((name) => kindOf(name) === 'text');
  // Numbers in order behind a blank cell, above the rows' names, are the header of a cross table.
  const isCrossTable =
    isAxis(names) &&
    names[0]?.trim() === '' &&
    columns[0]?.every((value) => kindOf(value) === 'text');
  return isName || isCrossTable ? undefined : 'its cells are all numbers, dates or blank';
}

/** Spreadsheets save a title like this: a text in the first cell, and the header below. */
function whyTitle(names: readonly string[], next: HeadRecord | undefined): string | undefined {
  const isTitle = names.length > 1 && names.slice(1).every((name) => name.trim() === '');
  const isFilledBelow = next?.fields.every(({ text }) => text.trim() !== '') === true;
  return isTitle && isFilledBelow ? 'only its first cell has text, like a title' : undefined;
}

/** Examples: a date above dates, `5.00` above decimals, 80202 above other numbers of five digits, 1 above 2, 3, 4. */
function whyLikeItsColumn(
  names: readonly string[],
  columns: readonly (readonly string[])[],
  data: readonly HeadRecord[],
): string | undefined {
  if (isAxis(names)) return undefined;
  const index = names.findIndex((name, at) => {
    const values = (columns[at] ?? []).filter((value) => value.trim() !== '');
    // Without a record below, only a value that is hardly ever a name counts against the header.
    if (data.length === 0) return ['number', 'moment'].includes(kindOf(name));
    return values.length > 0 && isOfItsColumn(name, values, at === 0);
  });
  if (index === -1) return undefined;
  const below = data.length === 0 ? 'a value' : 'as the values below it are';
  return `cell ${index + 1} is ${printable(names[index] ?? '')}, ${below}`;
}

function isOfItsColumn(name: string, values: readonly string[], isFirst: boolean): boolean {
  const all = (...kinds: CellKind[]): boolean =>
    values.every((value) => kinds.includes(kindOf(value)));
  switch (kindOf(name)) {
    case 'moment':
      return all('moment');
    case 'number':
      return all('number', 'integer') && values.some((value) => kindOf(value) === 'number');
    case 'integer':
      return (
        all('integer') && (isIdLikeInteger(name, values) || (isFirst && isCount(name, values)))
      );
    default:
      return false;
  }
}

/** An integer that looks like an id: as long as all others, and longer than a year or with a leading zero. */
function isIdLikeInteger(name: string, values: readonly string[]): boolean {
  const isLong = name.length >= MIN_TELLING_DIGITS || /^0\d/.test(name);
  return isLong && values.every((value) => value.length === name.length);
}

/** Whether the column goes on counting from the name, for example 1, and then 2, 3, 4. */
function isCount(name: string, values: readonly string[]): boolean {
  return values.slice(0, 3).every((value, index) => Number(value) === Number(name) + index + 1);
}

/** Whether numbers that only rise, or only fall, stand side by side behind a first cell that is not a number. */
function isAxis(names: readonly string[]): boolean {
  const isNumber = names.map((name) => ['integer', 'number'].includes(kindOf(name)));
  const axis = names.slice(isNumber.indexOf(true), isNumber.lastIndexOf(true) + 1).map(Number);
  if (isNumber[0] === true || axis.length < MIN_AXIS_LENGTH) return false;
  const steps = axis.slice(1).map((number, index) => Math.sign(number - (axis[index] ?? 0)));
  return Math.abs(steps[0] ?? 0) === 1 && new Set(steps).size === 1;
}

/** `CO` above `CO` and `NY`, or a header that comes again. A column of only its name and blanks is a ticked box. */
function whyRepeated(
  names: readonly string[],
  columns: readonly (readonly string[])[],
): string | undefined {
  const repeated = names.filter((name, at) => {
    const values = columns[at] ?? [];
    const isOther = (value: string): boolean => value !== name && value.trim() !== '';
    return kindOf(name) === 'text' && values.includes(name) && values.some(isOther);
  });
  if (repeated.length < MIN_REPEATED_CELLS) return undefined;
  return `its cells ${repeated.slice(0, 3).map(printable).join(', ')} are among the values below them`;
}
