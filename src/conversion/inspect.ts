import type { DeclaredType, Encoding, SourceOverrides } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { nameColumns, printable, type NamedColumn } from '../model/names.ts';
import type { CsvScan } from '../model/scan.ts';
import type { ColumnType, Schema } from '../model/schema.ts';
import type { Location } from '../storage/location.ts';
import type { ConversionProgress } from './engine.ts';
import { assertDecodable } from '../csv/encoding.ts';
import { checkDeclared, decideColumn } from './column-types.ts';
import { profileFile } from './profile-file.ts';
import { throwUnconvertible } from './unconvertible.ts';
import type { Misfit } from './unconvertible.ts';

export interface InspectRequest {
  input: Location;
  bytes: number;
  scan: CsvScan;
  encoding: Encoding;
  overrides: SourceOverrides;
  /** The types of the dataset's table, by normalised column name: taken where they hold every value exactly. */
  tableTypes?: ReadonlyMap<string, ColumnType> | undefined;
  signal: AbortSignal;
  onProgress: (done: ConversionProgress) => void;
}

/**
 * The schema of a landed file, from all of its values: see docs/fidelity.md. Declared types win, and are
 * checked against every value here, so that no engine meets one that does not fit.
 * @throws LonghaulError VALUES_UNCONVERTIBLE with the first values that do not fit a declared type;
 *   CONFIG_INVALID for a declared column that the file does not have.
 */
export async function inspect(request: InspectRequest): Promise<Schema> {
  const { scan, overrides } = request;
  assertDecodable(scan, request.encoding);
  const named = renamed(nameColumns(scan.header), overrides.aliases ?? {});
  checkDeclared(
    overrides.types ?? {},
    named.map((column) => column.name),
  );
  const profile = await profileFile({
    location: request.input,
    bytes: request.bytes,
    splits: scan.records === 0 ? [] : scan.splits,
    columns: named.length,
    delimiter: scan.dialect.delimiter.charCodeAt(0),
    signal: request.signal,
    onProgress: (bytes) => request.onProgress({ bytes }),
  });
  const misfits: Misfit[] = [];
  const columns = named.map((column, index) => {
    const declared = declaredType(overrides, column.name);
    const shapes = profile.shapes[index] ?? 0;
    const beyondDouble = profile.beyondDouble[index] === 1;
    const known = request.tableTypes?.get(column.name);
    const decision = decideColumn(shapes, beyondDouble, declared, known);
    if (declared && !decision.fits) misfits.push({ index, name: column.name, declared });
    return { ...column, ...decision.column };
  });
  if (misfits.length > 0) await throwUnconvertible(request, misfits);
  return { columns };
}

/** @throws LonghaulError CONFIG_INVALID where two columns would have the same name. */
export function renamed(columns: NamedColumn[], aliases: Record<string, string>): NamedColumn[] {
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

export function declaredType(overrides: SourceOverrides, name: string): DeclaredType | undefined {
  const { types } = overrides;
  return types && Object.hasOwn(types, name) ? types[name] : undefined;
}
