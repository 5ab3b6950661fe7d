import type { DeclaredType, SourceOverrides } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { nameColumns, printable, type NamedColumn } from '../model/names.ts';
import {
  COLUMN_TYPES,
  DATE_FORMATS,
  TIMESTAMP_FORMATS,
  type Column,
  type ColumnType,
} from '../model/schema.ts';
import { ALL_SHAPES, DECIMAL, INTEGER, shapeOfFormat, WITHIN_DOUBLE } from '../csv/shapes.ts';

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

/**
 * The column with its declared type, else with the first type that fits all values.
 * @param shapes the shapes that fit all values.
 * @param known the type of the column in the dataset's table. It is taken if it holds every value exactly, so that the
 *   file need not be cast into it.
 */
export function typedColumn(
  named: NamedColumn,
  shapes: number,
  { types = {} }: SourceOverrides,
  known?: ColumnType,
): TypedColumn {
  const declared = Object.hasOwn(types, named.name) ? types[named.name] : undefined;
  const isEmpty = shapes === ALL_SHAPES;
  const isBeyondDouble = (shapes & WITHIN_DOUBLE) === 0;
  const columnOf = (type: DeclaredType): Column => ({
    ...named,
    type: type.type,
    ...(isEmpty && { empty: true }),
    ...(declared && { declared: true }),
    ...formatFor(type, shapes),
    ...(type.type === 'BIGINT' && isBeyondDouble && { beyondDouble: true }),
  });
  if (declared) return { column: columnOf(declared), declared, fits: isFitting(declared, shapes) };
  const isExact =
    known !== undefined &&
    isFitting({ type: known }, shapes) &&
    !(known === 'DOUBLE' && isBeyondDouble);
  const usual = isEmpty ? 'VARCHAR' : COLUMN_TYPES.find((type) => isFitting({ type }, shapes));
  const type = (isExact ? known : usual) ?? 'VARCHAR';
  return { column: columnOf({ type }), declared, fits: true };
}

function isFitting(type: DeclaredType, shapes: number): boolean {
  return type.type === 'VARCHAR' || (shapes & shapesOfType(type)) !== 0;
}

function formatFor(type: DeclaredType, shapes: number): Pick<Column, 'format'> {
  const format = formatsOf(type).find((each) => (shapes & shapeOfFormat(each)) !== 0);
  return format === undefined ? {} : { format };
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
  return declared.type === 'DATE' ? DATE_FORMATS : TIMESTAMP_FORMATS;
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
    const known = formatsOf({ type: declared.type });
    if (declared.format !== undefined && !known.includes(declared.format)) {
      throw new LonghaulError(
        'CONFIG_INVALID',
        `datasets.yaml declares the format "${printable(declared.format)}" for the column "${printable(name)}"; ${known.length === 0 ? `${declared.type} has no formats` : `the formats of ${declared.type} are ${known.join(', ')}`}.`,
      );
    }
  }
}
