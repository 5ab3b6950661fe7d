import { availableParallelism } from 'node:os';
import type { DeclaredType, SourceOverrides } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { ColumnType, Schema } from '../model/schema.ts';
import { assertDecodable, decode } from '../csv/encoding.ts';
import { emptyProfile, profileRecords, type Profile } from '../csv/profile.ts';
import { shapesOf } from '../csv/shapes.ts';
import { QUOTE, Tokenizer } from '../csv/tokenizer.ts';
import { namedColumns, shapesOfType, typedColumn, type TypedColumn } from './column-types.ts';
import type { ReadableFile } from './engine.ts';
import { runInChildren } from './in-child.ts';
import { cutRecords, readBlocks, type FileRange } from './ranges.ts';

export interface InspectRequest extends ReadableFile {
  overrides: SourceOverrides;
  /** Types of the dataset's table by normalised column name. A type is taken if it holds every value exactly. */
  tableTypes?: ReadonlyMap<string, ColumnType> | undefined;
  signal: AbortSignal;
  /** Bytes of the file done so far, header included. */
  onProgress: (bytes: number) => void;
}

/**
 * Finds the schema of a landed file from all of its values: see docs/fidelity.md. A declared type has priority. It is
 * checked against every value here, so that no engine meets a value that does not fit.
 * @throws LonghaulError VALUES_UNCONVERTIBLE with the first values that do not fit a declared type; CONFIG_INVALID for
 *   a declared column that the file does not have.
 */
export async function inspect(request: InspectRequest): Promise<Schema> {
  const { scan, encoding, overrides, tableTypes } = request;
  assertDecodable(scan, encoding);
  const named = namedColumns(scan.header, overrides);
  const profile = await profileOf(request, named.length);
  const typed = named.map((column, index) => {
    return typedColumn(column, profile[index] ?? 0, overrides, tableTypes?.get(column.name));
  });
  if (typed.some(({ fits }) => !fits)) await throwUnconvertible(request, typed);
  return { columns: typed.map(({ column }) => column) };
}

/** For smaller files, starting children takes longer than they save. */
const MIN_BYTES_FOR_CHILDREN = 32 * 1024 * 1024;

/** Plain data, which a child can receive. */
interface RangeToProfile extends FileRange {
  columns: number;
  /** Delimiter as a byte. */
  delimiter: number;
}

/** Profiles all columns of a file on every core. The result does not depend on how the file is cut. */
async function profileOf(request: InspectRequest, columns: number): Promise<Profile> {
  const { location, bytes, scan, signal } = request;
  signal.throwIfAborted();
  const before = scan.splits[0] ?? 0;
  const onProgress = (done: number): void => request.onProgress(before + done);
  const children = bytes < MIN_BYTES_FOR_CHILDREN ? 1 : availableParallelism();
  const delimiter = scan.dialect.delimiter.charCodeAt(0);
  const ranges = cutRecords(request, children).map(({ start, end }): RangeToProfile => ({
    ...{ location, start, end, columns, delimiter },
  }));
  const jobs = ranges.map((job) => ({ work: 'profile' as const, job, program: 'Inspection' }));
  const profiles =
    ranges.length > 1
      ? await runInChildren<Profile>(jobs, signal, onProgress)
      : await Promise.all(ranges.map((range) => profileRange(range, onProgress, signal)));
  return emptyProfile(columns).map((all, column) =>
    profiles.reduce((shapes, profile) => shapes & (profile[column] ?? 0), all),
  );
}

/** @param onProgress bytes of the range done so far. */
export async function profileRange(
  range: RangeToProfile,
  onProgress: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<Profile> {
  const profile = emptyProfile(range.columns);
  await readBlocks(
    range,
    (bytes, block, position) => {
      const left = profileRecords(profile, bytes, block, range.delimiter);
      onProgress(position + left - range.start);
      return left;
    },
    signal,
  );
  return profile;
}

/** Values shown for each column: enough to see the fault, and few enough for one message. */
const MAX_EXAMPLES = 5;
/** A message shows at most this much of a value. */
const MAX_VALUE_CHARACTERS = 60;

/** A column with values that do not fit its declared type. */
interface Misfit {
  index: number;
  name: string;
  declared: DeclaredType;
  /** Shapes of the declared type that fit the earlier values. */
  shapes: number;
  examples: string[];
}

/**
 * Reads the file again for the values that do not fit. Only a failing run pays for this.
 * @throws LonghaulError VALUES_UNCONVERTIBLE, always.
 */
async function throwUnconvertible(
  request: InspectRequest,
  typed: readonly TypedColumn[],
): Promise<never> {
  const { scan, location, bytes: end, encoding, signal } = request;
  const misfits = typed.flatMap(({ column: { name }, declared, fits }, index): Misfit[] =>
    fits || !declared
      ? []
      : [{ index, name, declared, shapes: shapesOfType(declared), examples: [] }],
  );
  const tokenizer = new Tokenizer(scan.dialect.delimiter.charCodeAt(0));
  let record = 0;
  await readBlocks(
    { location, start: scan.splits[0] ?? end, end },
    (bytes, block, position) => {
      // All examples are found: the rest of the file changes nothing.
      if (misfits.every(({ examples }) => examples.length === MAX_EXAMPLES)) return block.limit;
      return tokenizer.readAll(bytes, block, (start) => {
        if (!tokenizer.isBlank(start) || scan.header.length === 1) record += 1;
        for (const misfit of misfits) {
          const first = misfit.index === 0 ? start : (tokenizer.ends[misfit.index - 1] ?? 0) + 1;
          const margin = bytes[first] === QUOTE ? 1 : 0;
          const [from, to] = [first + margin, (tokenizer.ends[misfit.index] ?? 0) - margin];
          if (misfit.index >= tokenizer.fields || from >= to) continue;
          const fitting = shapesOf(bytes, from, to, misfit.shapes) & misfit.shapes;
          if (fitting !== 0) misfit.shapes = fitting;
          else if (misfit.examples.length < MAX_EXAMPLES) {
            const value = shown(decode(bytes.subarray(from, to), encoding));
            misfit.examples.push(`${value} (record ${record}, byte ${position + first})`);
          }
        }
      });
    },
    signal,
  );
  throw new LonghaulError('VALUES_UNCONVERTIBLE', misfits.map(sentenceOf).join(' '));
}

function sentenceOf({ name, declared, examples }: Misfit): string {
  const format = declared.format === undefined ? '' : ` ${declared.format}`;
  return `Column "${printable(name)}" is declared ${declared.type}${format}, but these values of it are not ${DESCRIPTIONS[declared.type]}: ${examples.join(', ')}.`;
}

const DESCRIPTIONS: Record<ColumnType, string> = {
  BIGINT: 'integers of at most 18 digits without leading zeros, plus sign or blanks',
  DOUBLE: 'plain decimals that a double gives back digit by digit',
  DATE: 'existing days in one format of the list',
  TIMESTAMP: 'existing times in one format of the list',
  VARCHAR: 'text',
};

/** @param escaped the field's text without the quotes around it; quotes in it are doubled. */
function shown(escaped: string): string {
  const value = escaped.replaceAll('""', '"');
  const cut =
    value.length > MAX_VALUE_CHARACTERS ? `${value.slice(0, MAX_VALUE_CHARACTERS)}…` : value;
  return `"${printable(cut)}"`;
}
