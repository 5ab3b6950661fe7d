import { meet, meetColumns, type Column, type ColumnType } from '../model/schema.ts';
import type { SchemaChange } from '../model/table.ts';

/** Iceberg's type for each type of a column. */
export const ICEBERG_TYPES = {
  BIGINT: 'long',
  DOUBLE: 'double',
  DATE: 'date',
  // Iceberg's `timestamp` has no zone and counts microseconds.
  TIMESTAMP: 'timestamp',
  VARCHAR: 'string',
} as const satisfies Record<ColumnType, string>;

export type IcebergType = (typeof ICEBERG_TYPES)[ColumnType];

export interface IcebergField {
  id: number;
  name: string;
  required: boolean;
  type: IcebergType;
  /** Marks a column that never had a value. Any type fits it, so the column takes the type of its first values. */
  doc?: typeof NO_VALUES;
}

export const NO_VALUES = 'no values so far';

/** One version of a table's columns, in the form of the specification. */
export interface IcebergSchema {
  'schema-id': number;
  type: 'struct';
  fields: IcebergField[];
}

/** Columns that no file has. Readers take their values from the partition of a file. */
export const PARTITION_FIELDS = [
  { id: 1, name: 'source', required: false, type: 'string' },
  { id: 2, name: 'ingest_date', required: false, type: 'date' },
] as const satisfies IcebergField[];

export interface PartitionSpec {
  'spec-id': 0;
  fields: {
    name: (typeof PARTITION_FIELDS)[number]['name'];
    transform: 'identity';
    'source-id': number;
    'field-id': number;
  }[];
}

export const PARTITION_SPEC: PartitionSpec = {
  'spec-id': 0,
  fields: [
    { name: 'source', transform: 'identity', 'source-id': 1, 'field-id': 1000 },
    { name: 'ingest_date', transform: 'identity', 'source-id': 2, 'field-id': 1001 },
  ],
};

export const UNPARTITIONED: PartitionSpec = { 'spec-id': 0, fields: [] };

/** Last partition id of a table without partitions: the number before the first field of a partition. */
export const NO_PARTITION_ID = 999;

export const LAST_OWN_ID = PARTITION_FIELDS.length;

export function columnTypeOf({ type }: Pick<IcebergField, 'type'>): ColumnType {
  const types = Object.entries(ICEBERG_TYPES) as [ColumnType, IcebergType][];
  return types.find(([, name]) => name === type)?.[0] ?? 'VARCHAR';
}

/**
 * The columns of a snapshot are those of its sources: known ones in the table's order, then new ones as they appear. A
 * column keeps its field id for good, even if it was absent for a while. Its type holds exactly what its sources have
 * now and what the table had, so that queries do not meet another type each day.
 * @param known the table's schemas, the newest last.
 * @param former schemas of the table before it was rebuilt. Their field ids stay, but not their types.
 * @returns one of `known`, or a new schema.
 */
export function evolve(
  known: readonly IcebergSchema[],
  sources: readonly (readonly Column[])[],
  former: readonly IcebergSchema[] = [],
): IcebergSchema {
  const before = knownFields(known);
  const ids = knownFields([...former, ...known]);
  const columns = meetColumns(sources);
  for (const [name, column] of columns) {
    const field = before.get(name);
    if (field && !field.doc) columns.set(name, meet(column, { type: columnTypeOf(field) }));
  }
  let lastId = Math.max(LAST_OWN_ID, ...[...ids.values()].map(({ id }) => id));
  const order = [...before.keys()];
  const place = (name: string): number => {
    const at = order.indexOf(name);
    return at === -1 ? order.length : at;
  };
  const fields = [...columns]
    .toSorted(([a], [b]) => place(a) - place(b))
    .map(([name, { type, empty }]): IcebergField => {
      const id = ids.get(name)?.id ?? (lastId += 1);
      const field = { id, name, required: false, type: ICEBERG_TYPES[type] };
      return empty ? { ...field, doc: NO_VALUES } : field;
    });
  fields.push(...PARTITION_FIELDS);
  const same = known.findLast((each) => JSON.stringify(each.fields) === JSON.stringify(fields));
  const newest = known.at(-1)?.['schema-id'] ?? -1;
  return same ?? { 'schema-id': newest + 1, type: 'struct', fields };
}

/** Every column that the table ever had, in its last form. */
function knownFields(schemas: readonly IcebergSchema[]): Map<string, IcebergField> {
  const fields = new Map<string, IcebergField>();
  for (const schema of schemas) {
    for (const field of schema.fields) {
      if (field.id > LAST_OWN_ID) fields.set(field.name, field);
    }
  }
  return fields;
}

/** Maps the columns of files to fields by their names, for readers of files without field ids. */
export function nameMapping(schemas: readonly IcebergSchema[]): string {
  const names = new Map(schemas.flatMap(({ fields }) => fields.map(({ id, name }) => [id, name])));
  return JSON.stringify([...names].map(([id, name]) => ({ 'field-id': id, names: [name] })));
}

/** Compares by field id, because a column keeps its id. */
export function changesBetween(before: IcebergSchema, after: IcebergSchema): SchemaChange[] {
  const dropped = before.fields
    .filter(({ id }) => !after.fields.some((field) => field.id === id))
    .map((field) => ({
      ...{ column: field.name, change: 'dropped' as const },
      from: columnTypeOf(field),
    }));
  const others = after.fields.flatMap((field): SchemaChange[] => {
    const { name: column } = field;
    const to = columnTypeOf(field);
    const old = before.fields.find(({ id }) => id === field.id);
    if (!old) return [{ column, change: 'added', to }];
    const from = columnTypeOf(old);
    return from === to ? [] : [{ column, change: 'type', from, to }];
  });
  return [...dropped, ...others];
}
