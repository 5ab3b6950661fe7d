import type { DeclaredType } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { ColumnType } from '../model/schema.ts';
import { shapesOfType } from './column-types.ts';
import { decode } from '../csv/encoding.ts';
import { shapesOf } from '../csv/shapes.ts';
import { INCOMPLETE, QUOTE, Tokenizer } from '../csv/tokenizer.ts';
import { readBlocks } from './blocks.ts';
import type { InspectRequest } from './inspect.ts';

/** Values of a column: enough to see what is wrong, few enough for one message. */
const MAX_EXAMPLES = 5;
/** How much of a value a message shows. */
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
  const { scan, input: location, bytes: end, encoding } = request;
  const tokenizer = new Tokenizer(scan.dialect.delimiter.charCodeAt(0));
  const isDone = (): boolean => columns.every((each) => each.examples.length === MAX_EXAMPLES);
  const examine = (column: SearchedColumn, bytes: Uint8Array, field: Field): void => {
    const { from, to, record, byteOffset } = field;
    const fitting = shapesOf(bytes, from, to, column.shapes) & column.shapes;
    if (fitting !== 0) column.shapes = fitting;
    else if (column.examples.length < MAX_EXAMPLES) {
      const value = decode(bytes.subarray(from, to), encoding).replaceAll('""', '"');
      column.examples.push({ record, byteOffset, value });
    }
  };
  let records = 0;
  await readBlocks(
    { location, start: scan.splits[0] ?? end, end },
    (bytes, block, position) => {
      let start = block.start;
      while (start < block.limit && !isDone()) {
        const next = tokenizer.read(bytes, start, block);
        if (next === INCOMPLETE) return start;
        if (!tokenizer.isBlank(start) || scan.header.length === 1) records += 1;
        for (const column of columns) {
          const first = column.index === 0 ? start : (tokenizer.ends[column.index - 1] ?? 0) + 1;
          const margin = bytes[first] === QUOTE ? 1 : 0;
          const field = { from: first + margin, to: (tokenizer.ends[column.index] ?? 0) - margin };
          if (column.index >= tokenizer.fields || field.from >= field.to) continue;
          examine(column, bytes, { ...field, record: records, byteOffset: position + first });
        }
        start = next;
      }
      return isDone() ? block.limit : start;
    },
    request.signal,
  );
}

interface Field extends Omit<Example, 'value'> {
  /** Its value, still escaped. */
  from: number;
  to: number;
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
