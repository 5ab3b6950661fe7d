import { isDeepStrictEqual } from 'node:util';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { noneIf } from '../storage/leftovers.ts';
import { Days } from './days.ts';
import { Draft } from './draft.ts';
import { DAYS_SCHEMA, followDays, followSourcesOfDays, followVersions } from './follow.ts';
import type { CastOptions } from './members.ts';
import {
  commitTable,
  headOf,
  metadataKey,
  newestVersion,
  newTable,
  readVersion,
  schemaOf,
  tableName,
  tablePrefix,
  TABLES,
  type TableFolder,
  type TableMetadata,
  type TableSuffix,
} from './metadata.ts';
import {
  evolve,
  PARTITION_SPEC,
  UNPARTITIONED,
  type IcebergSchema,
  type PartitionSpec,
} from './table-schema.ts';

/** A table of a dataset as it is now. */
export interface SyncedTable extends TableFolder {
  /** Name of the table in catalogs. */
  name: string;
  /** Address of the table's folder, as readers open it. */
  location: string;
  /** Address of the newest metadata file. */
  metadataFile: string;
  metadata: TableMetadata;
  /** Columns of the head before and after the update; undefined if there is no head. */
  before: IcebergSchema | undefined;
  after: IcebergSchema | undefined;
}

export interface SyncOptions extends CastOptions {
  dataset: string;
  /** Database of AWS Glue that gets an entry for each table. */
  glueDatabase?: string | undefined;
  /** Whether to make everything anew from the manifests, not only what the tables lack. */
  rebuild?: boolean;
}

/**
 * Updates a dataset's Iceberg tables to what the manifests of its published days say. The main table has a snapshot for
 * each day, tagged with its date; the newest day is the head. Two other tables are the history. Many workers may do
 * this at any time: finished work is not repeated, and a worker that is second starts from the other's version.
 * @returns the main table; undefined if no day was ever published.
 * @throws LonghaulError TABLE_FOREIGN_COMMIT, TABLE_UNREADABLE, LAKE_CORRUPT, MANIFEST_UNREADABLE, ENGINE_…, STORE_…,
 * GLUE_….
 */
export async function syncTable(options: SyncOptions): Promise<SyncedTable | undefined> {
  for (;;) {
    options.signal.throwIfAborted();
    const tables = await bringAll(options);
    if (tables === 'overtaken') continue;
    if (options.glueDatabase !== undefined) {
      const { enterInGlue } = await import('./glue.ts');
      // The tables are entered even if nothing was committed, because the last version's entry may be missing.
      for (const table of tables) await enterInGlue(options.glueDatabase, table, options.signal);
    }
    return tables[0];
  }
}

/** Schema with only the columns of the partitions. */
const NO_COLUMNS = evolve([], []);

interface Table {
  suffix: TableSuffix;
  spec: PartitionSpec;
  /** Schema of the table until it has files. */
  schema: IcebergSchema;
  /** @param main the main table, which is updated first. */
  follow: (draft: Draft, days: Days, main: SyncedTable | undefined) => Promise<void>;
}

/** The order matters: the other tables follow the main one, and the days name versions. */
const TABLES_OF_DATASET: Table[] = [
  { suffix: TABLES.main, spec: PARTITION_SPEC, schema: NO_COLUMNS, follow: followDays },
  { suffix: TABLES.versions, spec: PARTITION_SPEC, schema: NO_COLUMNS, follow: followVersions },
  { suffix: TABLES.days, spec: UNPARTITIONED, schema: DAYS_SCHEMA, follow: followSourcesOfDays },
];

/** @returns the main table first; `overtaken` if another writer has committed since. */
async function bringAll(options: SyncOptions): Promise<SyncedTable[] | 'overtaken'> {
  const { converted, dataset } = options;
  // Versions are read before the days: if another writer saw more days and committed, this one's commit fails.
  const versions = await Promise.all(
    TABLES_OF_DATASET.map(async ({ suffix }) =>
      newestVersion(converted, tablePrefix(dataset, suffix)),
    ),
  );
  const days = await Days.of(converted, dataset);
  const synced: SyncedTable[] = [];
  if (versions[0] === undefined && days.revisions.length === 0) return synced;
  for (const [index, table] of TABLES_OF_DATASET.entries()) {
    const brought = await bring(options, table, versions[index], async (draft) =>
      table.follow(draft, days, synced[0]),
    );
    if (brought === 'overtaken') return brought;
    synced.push(brought);
  }
  return synced;
}

/** @param version the newest version; undefined if there is none. */
async function bring(
  options: SyncOptions,
  { suffix, spec, schema }: Table,
  version: number | undefined,
  follow: (draft: Draft) => Promise<void>,
): Promise<SyncedTable | 'overtaken'> {
  const { converted, dataset } = options;
  const prefix = tablePrefix(dataset, suffix);
  const location = converted.uri(prefix).replace(/\/$/, '');
  const current = version === undefined ? undefined : await readCurrent(options, prefix, version);
  // Paths in the metadata are absolute. In a lake that was moved they no longer name its files.
  const isUsable = current?.location === location && !options.rebuild;
  const base = isUsable ? current : anew(newTable(location, spec), current);
  const copiesPrefix = tablePrefix(dataset);
  const draft = new Draft({ ...options, prefix, spec, copiesPrefix }, base, current?.schemas);
  await follow(draft);
  const synced = (number: number, metadata: TableMetadata): SyncedTable => ({
    ...{ name: tableName(dataset, suffix), converted, prefix, location },
    ...{ metadataFile: converted.uri(metadataKey(prefix, number)), metadata },
    before: current && schemaOf(current, headOf(current)),
    after: schemaOf(metadata, headOf(metadata)),
  });
  if (isUsable && isDeepStrictEqual(draft.table, base)) return synced(version ?? 0, base);
  const next = (version ?? 0) + 1;
  const metadata = draft.finished(
    version === undefined ? undefined : converted.uri(metadataKey(prefix, version)),
    schema,
  );
  const isFirst = await commitTable(converted, prefix, next, metadata);
  return isFirst ? synced(next, metadata) : 'overtaken';
}

/** A rebuild goes on without the newest version if it cannot be read or if another program wrote it. */
async function readCurrent(
  { converted, dataset, rebuild }: SyncOptions,
  prefix: string,
  version: number,
): Promise<TableMetadata | undefined> {
  const table = readVersion(converted, prefix, version);
  if (rebuild) return await table.catch(noneIf('TABLE_FOREIGN_COMMIT', 'TABLE_UNREADABLE'));
  const metadata = await table;
  const owner = metadata.properties['longhaul.dataset'] ?? '';
  if (owner === dataset) return metadata;
  // Longhaul once accepted a dataset `x-days`. Its main table has the name of the table of days of `x`.
  const message = `${converted.uri(prefix)} is a table of another dataset, ${printable(owner)}.`;
  throw new LonghaulError('TABLE_FOREIGN_COMMIT', message);
}

/** @returns the new table with the ids and numbers of the older one. */
function anew(table: TableMetadata, before: TableMetadata | undefined): TableMetadata {
  if (!before) return table;
  return {
    ...table,
    'table-uuid': before['table-uuid'],
    'last-column-id': before['last-column-id'],
    'last-sequence-number': before['last-sequence-number'],
  };
}
