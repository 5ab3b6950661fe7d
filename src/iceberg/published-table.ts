import type { DuckDbSettings } from '../config/settings.ts';
import type { PublishedTable, SchemaChange } from '../model/table.ts';
import type { Store } from '../storage/store.ts';
import { syncTable } from './sync.ts';
import { columnTypeOf, type IcebergSchema } from './table-schema.ts';

/**
 * After a publication: brings the table to what the manifests say.
 * @returns undefined where the day is not published any more.
 */
export async function publishedTable(
  { converted, duckdb }: { converted: Store; duckdb: DuckDbSettings },
  { dataset, ingestDate }: { dataset: string; ingestDate: string },
  signal: AbortSignal,
): Promise<PublishedTable | undefined> {
  const synced = await syncTable({ converted, duckdb, dataset, signal });
  if (!synced?.metadata.refs[ingestDate]) return undefined;
  const { location, metadataFile, before, after } = synced;
  return {
    ...{ location, metadataFile, tag: ingestDate },
    schemaChanges: before && after ? changesBetween(before, after) : [],
  };
}

/** By field id: a column keeps its own. */
function changesBetween(before: IcebergSchema, after: IcebergSchema): SchemaChange[] {
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
