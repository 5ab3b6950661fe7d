import type { DeclaredType } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { ColumnType } from '../model/schema.ts';
import { shapesOfType } from './column-types.ts';
import { readBlocks } from './csv/blocks.ts';
import { CR, endOfPlain, endOfQuoted, INCOMPLETE, LF, QUOTE, startOfNext } from './csv/fields.ts';
import type { Block } from './csv/fields.ts';
import { MAX_GROWTH, transcode } from './csv/windows-1252.ts';
import type { InspectRequest } from './inspect.ts';
import { shapesOf } from './profile/shapes.ts';

/** Of a column: enough to see what is wrong, few enough for one message. */
const MAX_EXAMPLES = 5;
/** Of a value, in a message. */
const MAX_VALUE_CHARACTERS = 60;

/** A column whose declared type does not hold all of its values. */
export interface Misfit {
  index: number;
  name: string;
  declared: DeclaredType;
}

interface SearchedColumn extends Misfit {
  /** What the values before left possible of the declared type's formats. */
  shapes: number;
  examples: Example[];
}

interface Example {
  record: number;
  byteOffset: number;
  value: string;
}

/**
 * Reads the file again for the values that do not fit, which only a failing run has to pay for.
 * @throws LonghaulError VALUES_UNCONVERTIBLE, always.
 */
export async function throwUnconvertible(
  request: InspectRequest,
  misfits: readonly Misfit[],
): Promise<never> {
  const columns = misfits.map((misfit) => ({
    ...misfit,
    shapes: shapesOfType(misfit.declared),
    examples: [],
  }));
  await search(request, columns);
  throw new LonghaulError('VALUES_UNCONVERTIBLE', columns.map(sentenceOf).join(' '));
}

async function search(request: InspectRequest, columns: SearchedColumn[]): Promise<void> {
  const { scan, input: place, bytes: end, encoding } = request;
  const delimiter = scan.dialect.delimiter.charCodeAt(0);
  const isDone = (): boolean => columns.every((each) => each.examples.length === MAX_EXAMPLES);
  let records = 0;
  const examine: FieldReader = (bytes, field, byteOffset) => {
    for (const column of columns) {
      if (column.index !== field.column || field.from >= field.to) continue;
      const fitting = shapesOf(bytes, field.from, field.to, column.shapes) & column.shapes;
      if (fitting !== 0) column.shapes = fitting;
      else if (column.examples.length < MAX_EXAMPLES) {
        const value = decoded(bytes.subarray(field.from, field.to), encoding === 'windows-1252');
        column.examples.push({ record: records + 1, byteOffset, value });
      }
    }
  };
  await readBlocks(
    { place, start: scan.splits[0] ?? end, end },
    (bytes, block, position) => {
      bytes[block.limit] = LF;
      let record = block.start;
      while (record < block.limit && !isDone()) {
        const isBlank = endOfPlain(bytes, record, delimiter) === record && isLineEnd(bytes[record]);
        const next = eachField(bytes, { ...block, start: record }, delimiter, () => undefined);
        if (next === INCOMPLETE) return record;
        eachField(bytes, { ...block, start: record }, delimiter, (_, field) =>
          examine(bytes, field, position + field.start),
        );
        if (!isBlank || scan.header.length === 1) records += 1;
        record = next;
      }
      return isDone() ? block.limit : record;
    },
    request.signal,
  );
}

interface Field {
  column: number;
  /** Its first byte, a quote included. */
  start: number;
  /** Its value, still escaped. */
  from: number;
  to: number;
}

type FieldReader = (bytes: Uint8Array, field: Field, byteOffset: number) => void;

/** @returns where the next record starts. */
function eachField(
  bytes: Uint8Array,
  block: Block,
  delimiter: number,
  read: (bytes: Uint8Array, field: Field) => void,
): number {
  let start = block.start;
  for (let column = 0; ; column += 1) {
    const quoted = bytes[start] === QUOTE;
    const end = quoted
      ? endOfQuoted(bytes, start, block.limit)
      : endOfPlain(bytes, start, delimiter);
    if (end >= block.limit && !block.end) return INCOMPLETE;
    const margin = quoted ? 1 : 0;
    read(bytes, { column, start, from: start + margin, to: end - margin });
    if (bytes[end] !== delimiter) return startOfNext(bytes, end, block);
    start = end + 1;
  }
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === LF || byte === CR;
}

function decoded(bytes: Uint8Array, isWindows1252: boolean): string {
  let utf8 = bytes;
  if (isWindows1252) {
    const target = Buffer.alloc(bytes.length * MAX_GROWTH);
    utf8 = target.subarray(0, transcode(bytes, 0, bytes.length, target, 0));
  }
  return Buffer.from(utf8).toString('utf8').replaceAll('""', '"');
}

function sentenceOf(column: SearchedColumn): string {
  const { name, declared, examples } = column;
  const format = declared.format === undefined ? '' : ` ${declared.format}`;
  const values = examples.map(
    ({ record, byteOffset, value }) => `${shown(value)} (record ${record}, byte ${byteOffset})`,
  );
  return `Column "${printable(name)}" is declared ${declared.type}${format}, but these values of it are not ${DESCRIPTIONS[declared.type]}: ${values.join(', ')}.`;
}

const DESCRIPTIONS: Record<ColumnType, string> = {
  BIGINT: 'integers of at most 18 digits without leading zeros, plus sign or blanks',
  DOUBLE: 'plain decimals that a double gives back digit by digit',
  DATE: 'existing days in one format of the list',
  TIMESTAMP: 'existing times in one format of the list',
  VARCHAR: 'text',
};

function shown(value: string): string {
  const cut =
    value.length > MAX_VALUE_CHARACTERS ? `${value.slice(0, MAX_VALUE_CHARACTERS)}…` : value;
  return `"${printable(cut)}"`;
}
