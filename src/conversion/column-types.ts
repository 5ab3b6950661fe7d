import type { DeclaredType, SourceOverrides } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { nameColumns, printable, type NamedColumn } from '../model/names.ts';
import { DATE_FORMATS, TIMESTAMP_FORMATS } from '../model/schema.ts';
import type { Column, ColumnType } from '../model/schema.ts';
import { ALL_SHAPES, DECIMAL, INTEGER, shapeOfFormat } from '../csv/shapes.ts';

type Decision = Pick<Column, 'type' | 'format' | 'empty' | 'beyondDouble' | 'declared'>;

/** A column of a file, with its type. */
export interface TypedColumn {
  column: Column;
  declared: DeclaredType | undefined;
  /** False if some value does not fit the declared type. */
  fits: boolean;
}

/**
 * The columns of a file, with their names in the lake.
 * @throws LonghaulError CONFIG_INVALID of datasets.yaml: two columns would have the same name, the file lacks a
 *   declared column, or a declared format is unknown.
 */
export function namedColumns(
  header: readonly string[],
  { types = {}, aliases = {} }: SourceOverrides,
): NamedColumn[] {
  const named = renamed(nameColumns(header), aliases);
  checkDeclared(
    types,
    named.map(({ name }) => name),
  );
  return named;
}

/** @param found the shapes that fit all values of the column, and whether an integer among them is beyond 2^53. */
export function typedColumn(
  named: NamedColumn,
  found: { shapes: number; beyondDouble: boolean },
  { types = {} }: SourceOverrides,
  known?: ColumnType,
): TypedColumn {
  const declared = Object.hasOwn(types, named.name) ? types[named.name] : undefined;
  const { column, fits } = decideColumn(found.shapes, found.beyondDouble, declared, known);
  return { column: { ...named, ...column }, declared, fits };
}

/**
 * Decides the type of a column with these shapes. `fits` is false if some value does not fit the declared type.
 * @param known the type of the column in the dataset's table. It is taken if it holds every value exactly, so that the
 *   file need not be cast into it.
 */
function decideColumn(
  shapes: number,
  beyondDouble: boolean,
  declared: DeclaredType | undefined,
  known?: ColumnType,
): { column: Decision; fits: boolean } {
  const empty = shapes === ALL_SHAPES ? ({ empty: true } as const) : {};
  if (!declared) {
    const usual = empty.empty ? { type: 'VARCHAR' as const } : foundType(shapes, beyondDouble);
    if (known === undefined || known === usual.type) {
      return { column: { ...usual, ...empty }, fits: true };
    }
    const { column, fits } = decideColumn(shapes, beyondDouble, { type: known });
    const isExact = fits && !(known === 'DOUBLE' && beyondDouble);
    const { declared: _none, ...asKnown } = column;
    return { column: isExact ? asKnown : { ...usual, ...empty }, fits: true };
  }
  const format = formatsOf(declared).find((each) => (shapes & shapeOfFormat(each)) !== 0);
  const fits = (shapes & shapesOfType(declared)) !== 0 || declared.type === 'VARCHAR';
  const column: Decision = { type: declared.type, ...empty, declared: true };
  if (format !== undefined) column.format = format;
  if (declared.type === 'BIGINT' && beyondDouble) column.beyondDouble = true;
  return { column, fits };
}

/** The shapes for a declared type. The type fits if one of them fits all values. */
export function shapesOfType(declared: DeclaredType): number {
  if (declared.type === 'BIGINT') return INTEGER;
  if (declared.type === 'DOUBLE') return DECIMAL;
  return formatsOf(declared).reduce((shapes, format) => shapes | shapeOfFormat(format), 0);
}

/** The formats of a type, in the order in which they are tried. */
function formatsOf(declared: DeclaredType): readonly string[] {
  if (declared.type !== 'DATE' && declared.type !== 'TIMESTAMP') return [];
  if (declared.format !== undefined) return [declared.format];
  return FORMATS_OF[declared.type];
}

const FORMATS_OF = { DATE: DATE_FORMATS, TIMESTAMP: TIMESTAMP_FORMATS } as const;

function foundType(shapes: number, beyondDouble: boolean): Decision {
  if ((shapes & INTEGER) !== 0) {
    return beyondDouble ? { type: 'BIGINT', beyondDouble: true } : { type: 'BIGINT' };
  }
  if ((shapes & DECIMAL) !== 0) return { type: 'DOUBLE' };
  for (const type of ['DATE', 'TIMESTAMP'] as const) {
    const format = FORMATS_OF[type].find((each) => (shapes & shapeOfFormat(each)) !== 0);
    if (format !== undefined) return { type, format };
  }
  return { type: 'VARCHAR' };
}

function renamed(columns: NamedColumn[], aliases: Record<string, string>): NamedColumn[] {
  const taken = new Map<string, NamedColumn>();
  return columns.map((column) => {
    const name = Object.hasOwn(aliases, column.name) ? aliases[column.name] : undefined;
    const result = { ...column, name: name ?? column.name };
    const other = taken.get(result.name);
    if (other) {
      const both = [other, column]
        .map((each) => `"${printable(each.publisherName)}"`)
        .join(' and ');
      const message = `By "aliases" of datasets.yaml the columns ${both} are both "${printable(result.name)}".`;
      throw new LonghaulError('CONFIG_INVALID', message);
    }
    taken.set(result.name, column);
    return result;
  });
}

function checkDeclared(types: Record<string, DeclaredType>, columns: readonly string[]): void {
  for (const [name, declared] of Object.entries(types)) {
    if (!columns.includes(name)) {
      throw new LonghaulError(
        'CONFIG_INVALID',
        `datasets.yaml declares a type for the column "${printable(name)}", which the file does not have; its columns are ${columns.map(printable).join(', ')}.`,
      );
    }
    const known = FORMATS_OF[declared.type as keyof typeof FORMATS_OF] as
      readonly string[] | undefined;
    if (declared.format !== undefined && !known?.includes(declared.format)) {
      throw new LonghaulError(
        'CONFIG_INVALID',
        `datasets.yaml declares the format "${printable(declared.format)}" for the column "${printable(name)}"; ${formatsThereAre(declared.type)}`,
      );
    }
  }
}

function formatsThereAre(type: ColumnType): string {
  if (type !== 'DATE' && type !== 'TIMESTAMP') return `${type} has no formats.`;
  return `the formats of ${type} are ${FORMATS_OF[type].join(', ')}.`;
}
