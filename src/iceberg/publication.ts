import { latestOfEachSource, newestRevisions } from '../lake/catalogue.ts';
import type { DuckDbSettings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import type { SnapshotRef } from '../model/layout.ts';
import type { SnapshotManifest, SourceEntry } from '../model/manifest.ts';
import { changeText, type PublishedTable } from '../model/table.ts';
import { readSnapshot } from '../storage/manifests.ts';
import type { Store } from '../storage/store.ts';
import { headOf, MAIN, readNewest, schemaOf, tablePrefix } from './metadata.ts';
import { syncTable, type SyncedTable } from './sync.ts';
import { changesBetween, evolve, type IcebergSchema } from './table-schema.ts';

/**
 * Holds a day that would change the columns of the dataset's table. The first day, and a day older than the newest one,
 * change nothing that readers have.
 * @param sources as the day's manifest would have them.
 * @throws LonghaulError SCHEMA_CHANGED naming the columns; TABLE_FOREIGN_COMMIT, TABLE_UNREADABLE.
 */
export async function assertSchemaKept(
  { converted }: { converted: Store },
  { dataset: { name }, ingestDate }: { dataset: { name: string }; ingestDate: string },
  sources: readonly SourceEntry[],
): Promise<void> {
  const table = (await readNewest(converted, tablePrefix(name)))?.metadata;
  const head = table && schemaOf(table, headOf(table));
  const refs = await newestRevisions(converted, name);
  if (!table || !head || refs.some((ref) => ref.ingestDate > ingestDate)) return;
  const missing = sources.flatMap(({ id, status }) => (status === 'missing' ? [id] : []));
  const read = async (ref: SnapshotRef): Promise<SnapshotManifest> =>
    await readSnapshot(converted, ref);
  const before = missing.length > 0 ? await latestOfEachSource(refs, read) : [];
  const carried = before
    .flatMap((manifest) => manifest.sources)
    .filter(({ id }) => missing.includes(id));
  const columns = [...sources, ...carried].map(({ schema }) => schema.columns);
  const changes = changesBetween(head, evolve(table.schemas, columns));
  if (changes.length === 0) return;
  const message = `The columns of ${name} would change: ${changes.map(changeText).join(', ')}. Held, not published.`;
  throw new LonghaulError('SCHEMA_CHANGED', message);
}

/**
 * Updates the table to what the manifests say, after a publication.
 * @returns undefined if the day is not published any more.
 */
export async function publishedTable(
  deps: { converted: Store; duckdb: DuckDbSettings; glueDatabase: string | undefined },
  { dataset, ingestDate }: { dataset: string; ingestDate: string },
  signal: AbortSignal,
): Promise<PublishedTable | undefined> {
  const synced = await syncTable({ ...deps, dataset, signal });
  if (!synced?.metadata.refs[ingestDate]) return undefined;
  const { location, metadataFile, after } = synced;
  const before = formerSchema(synced, ingestDate);
  return {
    ...{ location, metadataFile, tag: ingestDate },
    schemaChanges: before && after ? changesBetween(before, after) : [],
  };
}

/**
 * The columns before this publication. If only this day's tag names the head, they are the columns of the head's
 * parent. An earlier attempt may have committed the day and then failed: its answer was lost, or AWS Glue refused it.
 */
function formerSchema(
  { metadata, before }: SyncedTable,
  ingestDate: string,
): IcebergSchema | undefined {
  const head = headOf(metadata);
  const isHead = (name: string): boolean =>
    metadata.refs[name]?.['snapshot-id'] === head?.['snapshot-id'];
  const days = Object.keys(metadata.refs).filter((name) => name !== MAIN && isHead(name));
  if (days.join() !== ingestDate) return before;
  const parentId = head?.['parent-snapshot-id'];
  const parent = metadata.snapshots.find((each) => each['snapshot-id'] === parentId);
  return schemaOf(metadata, parent);
}
