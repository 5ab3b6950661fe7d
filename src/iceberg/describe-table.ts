import type { ColumnType } from '../model/schema.ts';
import { noneIf } from '../storage/leftovers.ts';
import type { Store } from '../storage/store.ts';
import {
  headOf,
  MAIN,
  metadataKey,
  readNewest,
  tableName,
  tablePrefix,
  TABLES,
  type TableMetadata,
  type TableSuffix,
} from './metadata.ts';
import { columnTypeOf } from './table-schema.ts';

/** A table, as Longhaul shows it to users and scripts. */
export interface TableDescription {
  location: string;
  metadataFile: string;
  /** Id of the head. Undefined if no day has begun, or if no day is published any more. */
  snapshotId: number | undefined;
  /** Columns of the head. */
  columns: { name: string; type: ColumnType }[];
  /**
   * Tags by date; a replaced revision follows its day. `publishedAs` is the day and revision that made the snapshot: an
   * earlier day if nothing has changed since.
   */
  tags: { tag: string; snapshotId: number; rows: number; publishedAs: string }[];
}

/** The two tables of a dataset's history. Readers join them. */
export type HistoryDescription = Record<
  'versions' | 'days',
  Pick<TableDescription, 'location' | 'metadataFile' | 'columns'> & { name: string }
>;

/**
 * @returns undefined if one of the tables does not exist yet.
 * @throws LonghaulError TABLE_FOREIGN_COMMIT, TABLE_UNREADABLE.
 */
export async function describeHistory(
  converted: Store,
  dataset: string,
): Promise<HistoryDescription | undefined> {
  const describe = async (suffix: TableSuffix) => {
    const table = await describeTable(converted, dataset, suffix);
    if (!table) return undefined;
    const { location, metadataFile, columns } = table;
    return { name: tableName(dataset, suffix), location, metadataFile, columns };
  };
  const [versions, days] = [await describe(TABLES.versions), await describe(TABLES.days)];
  return versions && days && { versions, days };
}

/**
 * @returns undefined if the table does not exist.
 * @throws LonghaulError TABLE_FOREIGN_COMMIT, TABLE_UNREADABLE.
 */
export async function describeTable(
  converted: Store,
  dataset: string,
  suffix: TableSuffix = TABLES.main,
): Promise<TableDescription | undefined> {
  const prefix = tablePrefix(dataset, suffix);
  const newest = await readNewest(converted, prefix);
  if (!newest) return undefined;
  const { version, metadata } = newest;
  const snapshots = new Map(metadata.snapshots.map((each) => [each['snapshot-id'], each]));
  const tags = Object.entries(metadata.refs)
    .filter(([name]) => name !== MAIN)
    .map(([tag, { 'snapshot-id': snapshotId }]) => {
      const summary = snapshots.get(snapshotId)?.summary;
      const rows = Number(summary?.['total-records'] ?? 0);
      const publishedAs = summary?.['longhaul.snapshot']?.replace(/^[^/]*\//, '') ?? '';
      return { tag, snapshotId, rows, publishedAs };
    })
    .toSorted((a, b) => (a.tag < b.tag ? -1 : 1));
  return {
    location: metadata.location,
    metadataFile: converted.uri(metadataKey(prefix, version)),
    snapshotId: headOf(metadata)?.['snapshot-id'],
    columns: columnsOf(metadata),
    tags,
  };
}

/**
 * The types of the head's columns by name, for the next conversion. If the table cannot be read, there are none, and
 * the table's next commit reports the error.
 */
export async function tableTypes(
  converted: Store,
  dataset: string,
): Promise<ReadonlyMap<string, ColumnType>> {
  const newest = readNewest(converted, tablePrefix(dataset));
  const table = await newest.catch(noneIf('TABLE_UNREADABLE', 'TABLE_FOREIGN_COMMIT'));
  return new Map(table && columnsOf(table.metadata).map(({ name, type }) => [name, type]));
}

function columnsOf(metadata: TableMetadata): TableDescription['columns'] {
  const current = metadata['current-schema-id'];
  const schema = metadata.schemas.find((each) => each['schema-id'] === current);
  return (schema?.fields ?? []).map((field) => ({ name: field.name, type: columnTypeOf(field) }));
}
