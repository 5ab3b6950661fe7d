import { latestOfEachSource, newestRevisions } from '../lake/catalogue.ts';
import { LonghaulError } from '../model/errors.ts';
import type { SourceEntry } from '../model/manifest.ts';
import { changeText } from '../model/table.ts';
import type { Store } from '../storage/store.ts';
import { headSchema, readNewest, tablePrefix } from './metadata.ts';
import { changesBetween, evolve } from './table-schema.ts';

/**
 * Holds a day that would change the columns of the dataset's table. An older day than the newest one, and the first day,
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
  const head = headSchema(table);
  const refs = await newestRevisions(converted, name);
  if (!table || !head || refs.some((ref) => ref.ingestDate > ingestDate)) return;
  const missing = sources.flatMap(({ id, status }) => (status === 'missing' ? [id] : []));
  const before = missing.length > 0 ? await latestOfEachSource(converted, refs) : [];
  const carried = before
    .flatMap((manifest) => manifest.sources)
    .filter(({ id }) => missing.includes(id));
  const columns = [...sources, ...carried].map(({ schema }) => schema.columns);
  const changes = changesBetween(head, evolve(table.schemas, columns));
  if (changes.length === 0) return;
  const message = `The columns of ${name} would change: ${changes.map(changeText).join(', ')}. Held, not published.`;
  throw new LonghaulError('SCHEMA_CHANGED', message);
}
