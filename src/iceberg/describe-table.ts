import { LonghaulError } from '../model/errors.ts';
import type { ColumnType } from '../model/schema.ts';
import type { Store } from '../storage/store.ts';
import {
  MAIN,
  metadataKey,
  newestVersion,
  NO_SNAPSHOT,
  readVersion,
  tablePrefix,
} from './metadata.ts';
import { columnTypeOf } from './table-schema.ts';

/** A table as people and scripts are shown it. */
export interface TableDescription {
  location: string;
  metadataFile: string;
  /** Of the head; undefined where no day has begun, or none is published any more. */
  snapshotId: number | undefined;
  /** Of the head. */
  columns: { name: string; type: ColumnType }[];
  /**
   * By date; a revision that was replaced stands behind its day. `publishedAs`: the day and revision that made the
   * snapshot, an earlier one where nothing has changed since.
   */
  tags: { tag: string; snapshotId: number; rows: number; publishedAs: string }[];
}

/**
 * @returns undefined where there is no table.
 * @throws LonghaulError TABLE_FOREIGN_COMMIT, TABLE_UNREADABLE.
 */
export async function describeTable(
  converted: Store,
  dataset: string,
): Promise<TableDescription | undefined> {
  const prefix = tablePrefix(dataset);
  const version = await newestVersion(converted, prefix);
  if (version === undefined) return undefined;
  const metadata = await readVersion(converted, prefix, version);
  const { refs, schemas, snapshots } = metadata;
  const head = metadata['current-snapshot-id'];
  const tags = Object.entries(refs)
    .filter(([name]) => name !== MAIN)
    .map(([tag, { 'snapshot-id': snapshotId }]) => {
      const summary = snapshots.find((each) => each['snapshot-id'] === snapshotId)?.summary;
      const rows = Number(summary?.['total-records'] ?? 0);
      const publishedAs = summary?.['longhaul.snapshot']?.replace(/^[^/]*\//, '') ?? '';
      return { tag, snapshotId, rows, publishedAs };
    })
    .toSorted((a, b) => (a.tag < b.tag ? -1 : 1));
  const schema = schemas.find((each) => each['schema-id'] === metadata['current-schema-id']);
  return {
    location: metadata.location,
    metadataFile: converted.uri(metadataKey(prefix, version)),
    snapshotId: head === NO_SNAPSHOT ? undefined : head,
    columns: (schema?.fields ?? []).map((field) => ({
      name: field.name,
      type: columnTypeOf(field),
    })),
    tags,
  };
}

/**
 * The types of the head's columns, by name, for what is converted next. A table that cannot be read has none: its next
 * commit says so.
 */
export async function tableTypes(
  converted: Store,
  dataset: string,
): Promise<ReadonlyMap<string, ColumnType>> {
  const table = await describeTable(converted, dataset).catch((error: unknown) => {
    const code = error instanceof LonghaulError ? error.code : undefined;
    if (code === 'TABLE_UNREADABLE' || code === 'TABLE_FOREIGN_COMMIT') return undefined;
    throw error;
  });
  return new Map(table?.columns.map(({ name, type }) => [name, type]));
}
