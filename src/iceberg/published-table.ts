import type { DuckDbSettings } from '../config/settings.ts';
import type { PublishedTable } from '../model/table.ts';
import type { Store } from '../storage/store.ts';
import { syncTable } from './sync.ts';
import { changesBetween } from './table-schema.ts';

/**
 * After a publication: brings the table to what the manifests say.
 * @returns undefined where the day is not published any more.
 */
export async function publishedTable(
  deps: { converted: Store; duckdb: DuckDbSettings; glueDatabase: string | undefined },
  { dataset, ingestDate }: { dataset: string; ingestDate: string },
  signal: AbortSignal,
): Promise<PublishedTable | undefined> {
  const synced = await syncTable({ ...deps, dataset, signal });
  if (!synced?.metadata.refs[ingestDate]) return undefined;
  const { location, metadataFile, before, after } = synced;
  return {
    ...{ location, metadataFile, tag: ingestDate },
    schemaChanges: before && after ? changesBetween(before, after) : [],
  };
}
