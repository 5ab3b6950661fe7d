import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { Store } from '../storage/store.ts';
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
  /** In catalogs. */
  name: string;
  /** The folder, as readers open it. */
  location: string;
  /** The newest metadata file. */
  metadataFile: string;
  metadata: TableMetadata;
  /** The columns of the head before, and now; undefined where it has none. */
  before: IcebergSchema | undefined;
  after: IcebergSchema | undefined;
}

export interface SyncOptions extends CastOptions {
  dataset: string;
  /** Of AWS Glue, in which the tables are entered. */
  glueDatabase?: string | undefined;
  /** Makes everything anew from the manifests; else only what they have and the tables do not. */
  rebuild?: boolean;
}

/**
 * Brings a dataset's Iceberg tables to what the manifests of its published days say. The main one has a snapshot for each
 * day, tagged with its date; the newest day is the head. Two others are the history. It may be done at any time and by many
 * at once: what is there already is not done again, and of two writers one goes on from the other's version.
 * @returns the main one; undefined where no day was ever published.
 * @throws LonghaulError TABLE_FOREIGN_COMMIT, TABLE_UNREADABLE, LAKE_CORRUPT, MANIFEST_UNREADABLE, ENGINE_…, STORE_…, GLUE_….
 */
export async function syncTable(options: SyncOptions): Promise<SyncedTable | undefined> {
  for (;;) {
    options.signal.throwIfAborted();
    const tables = await bringAll(options);
    if (tables === 'overtaken') continue;
    if (options.glueDatabase !== undefined) {
      const { enterInGlue } = await import('./glue.ts');
      // Also where nothing was committed: the entry of the last version may be missing.
      for (const table of tables) await enterInGlue(options.glueDatabase, { ...options, ...table });
    }
    return tables[0];
  }
}

/** But those of the partitions. */
const NO_COLUMNS = evolve([], []);

interface Table {
  suffix: TableSuffix;
  spec: PartitionSpec;
  /** Until it has files. */
  schema: IcebergSchema;
  /** @param main the main table, which is brought first. */
  follow: (draft: Draft, days: Days, main: SyncedTable | undefined) => Promise<void>;
}

/** In this order: the others follow what the main one has become, and the days name versions. */
const TABLES_OF_DATASET: Table[] = [
  { suffix: TABLES.main, spec: PARTITION_SPEC, schema: NO_COLUMNS, follow: followDays },
  { suffix: TABLES.versions, spec: PARTITION_SPEC, schema: NO_COLUMNS, follow: followVersions },
  { suffix: TABLES.days, spec: UNPARTITIONED, schema: DAYS_SCHEMA, follow: followSourcesOfDays },
];

/** @returns the main one first; `overtaken` where another writer has committed since. */
async function bringAll(options: SyncOptions): Promise<SyncedTable[] | 'overtaken'> {
  const { converted, dataset } = options;
  // Before the days: who has seen fewer of them is overtaken by whoever has seen more.
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

/** @param version the newest one; undefined where there is none. */
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
  // Paths in the metadata are whole: those of a lake that was moved lead nowhere.
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
  if (isUsable && !draft.isChanged) return synced(version ?? 0, base);
  const next = (version ?? 0) + 1;
  const metadata = draft.finished(
    version === undefined ? undefined : converted.uri(metadataKey(prefix, version)),
    schema,
  );
  const isFirst = await commitTable(converted, prefix, next, metadata);
  return isFirst ? synced(next, metadata) : 'overtaken';
}

/** Who wants everything made anew does so because the newest version cannot be read, or is not ours. */
async function readCurrent(
  { converted, dataset, rebuild }: { converted: Store } & Pick<SyncOptions, 'dataset' | 'rebuild'>,
  prefix: string,
  version: number,
): Promise<TableMetadata | undefined> {
  const table = readVersion(converted, prefix, version);
  if (rebuild) return await table.catch(noneIf('TABLE_FOREIGN_COMMIT', 'TABLE_UNREADABLE'));
  const metadata = await table;
  const owner = metadata.properties['longhaul.dataset'] ?? '';
  if (owner === dataset) return metadata;
  // A dataset `x-days` from before such names were refused.
  const message = `${converted.uri(prefix)} is a table of another dataset, ${printable(owner)}.`;
  throw new LonghaulError('TABLE_FOREIGN_COMMIT', message);
}

/** @returns the new table, with what an older one has to hand on. */
function anew(table: TableMetadata, before: TableMetadata | undefined): TableMetadata {
  if (!before) return table;
  return {
    ...table,
    'table-uuid': before['table-uuid'],
    'last-column-id': before['last-column-id'],
    'last-sequence-number': before['last-sequence-number'],
  };
}
