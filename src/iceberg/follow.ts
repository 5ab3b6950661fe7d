import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import parquet from 'parquetjs-lite';
import { rowKey, writerSchema } from '../conversion/parquetjs/schema.ts';
import type { DatedEntry } from '../lake/views.ts';
import type { SnapshotRef } from '../model/layout.ts';
import type { ParquetPart } from '../model/manifest.ts';
import type { Column } from '../model/schema.ts';
import { noneIf } from '../storage/leftovers.ts';
import { contentHash, type Content, type Days, type SourceOfDay } from './days.ts';
import type { Draft, NewSnapshot } from './draft.ts';
import type { WantedFile } from './members.ts';
import {
  headOf,
  MAIN,
  type TableFolder,
  type TableMetadata,
  type TableSnapshot,
} from './metadata.ts';
import { readSnapshotFiles } from './snapshot.ts';
import { ICEBERG_TYPES, LAST_OWN_ID, type IcebergSchema } from './table-schema.ts';

/*
 * The manifests of a dataset's published days define what its tables have. The main table has a tagged snapshot for
 * each day. The history is two tables, which readers join as the view `<view>_history` does: each version of a source
 * once, and the versions that each day consists of. It has the newest revisions of the days that have begun.
 */

/** Tags a snapshot for each day and replaced revision, and no other. The newest day that has begun becomes the head. */
export async function followDays(draft: Draft, days: Days): Promise<void> {
  const { refs } = draft.table;
  const isCurrent = (ref: SnapshotRef): boolean => days.current.includes(ref);
  const tagOf = (ref: SnapshotRef): string =>
    isCurrent(ref) ? ref.ingestDate : `${ref.ingestDate}.r${ref.revision}`;
  const tags = new Set([MAIN, ...days.revisions.map(tagOf)]);
  for (const tag of Object.keys(refs)) if (!tags.has(tag)) draft.dropTag(tag);
  for (const ref of days.revisions) {
    const tag = tagOf(ref);
    // The snapshot of a replaced revision stays, even if the days before it have changed.
    if (refs[tag] && !isCurrent(ref)) continue;
    // If the manifest of a day was damaged later, its snapshot stays too, and the next days are still added.
    const damaged = refs[tag] ? (['MANIFEST_UNREADABLE', 'LAKE_CORRUPT'] as const) : [];
    const content = await days.content(ref).catch(noneIf(...damaged));
    if (!content) continue;
    // If nothing has changed on a day, its tag names the snapshot of the day before.
    draft.setTag(tag, draft.withContent(content.hash) ?? (await addDay(draft, days, ref, content)));
  }
  draft.setHead(draft.tagged(days.begun.at(-1)?.ingestDate));
}

async function addDay(
  draft: Draft,
  days: Days,
  { dataset, ingestDate, revision }: SnapshotRef,
  { manifest: { runId, publishedAt, ledger }, sources, hash }: Content,
): Promise<TableSnapshot> {
  const newest = days.begun.at(-1)?.ingestDate;
  const isHead = newest !== undefined && ingestDate >= newest;
  return await draft.addSnapshot({
    schema: draft.evolved(sources.map(({ entry }) => entry.schema.columns)),
    files: filesOf(sources),
    // The parent is the head if the day becomes the head; otherwise it is the day before.
    parent:
      (isHead ? draft.tagged(MAIN) : undefined) ??
      draft.tagged(days.before(ingestDate)?.ingestDate),
    content: hash,
    summary: {
      'longhaul.snapshot': `${dataset}/${ingestDate}/r${revision}`,
      'longhaul.run': runId,
      'longhaul.published-at': publishedAt,
      'longhaul.ledger': `${ledger.records} records = ${ledger.rows} rows + ${ledger.rejected} rejected`,
    },
  });
}

type SyncedMain = (TableFolder & { metadata: TableMetadata }) | undefined;

/** @param main the main table: its copies are used here too. */
export async function followVersions(draft: Draft, days: Days, main: SyncedMain): Promise<void> {
  await followNewest(draft, days, async () => {
    const { versions } = await days.history();
    const head = main && headOf(main.metadata);
    return {
      schema: draft.evolved(versions.map(({ entry }) => entry.schema.columns)),
      files: filesOf(versions),
      shared: head ? (await readSnapshotFiles(main, head)).entries : [],
    };
  });
}

/** @param main the main table. If it is private, this table becomes private too. */
export async function followSourcesOfDays(
  draft: Draft,
  days: Days,
  main: SyncedMain,
): Promise<void> {
  await followNewest(draft, days, async () => {
    await draft.keepPrivate(main ? [`${main.prefix}metadata`] : []);
    const parts = await writeDaysFile(draft.options, (await days.history()).days);
    const files = parts.map((part) => ({ part, columns: DAYS_COLUMNS, partition: {} }));
    return { schema: DAYS_SCHEMA, files };
  });
}

/** Updates a table whose only snapshot has all days that have begun. */
async function followNewest(
  draft: Draft,
  { begun }: Days,
  made: () => Promise<Pick<NewSnapshot, 'schema' | 'files' | 'shared'>>,
): Promise<void> {
  const newest = begun.at(-1);
  if (!newest) {
    draft.setHead(undefined);
    return;
  }
  // A revision never changes, so the same revisions have the same content.
  const content = contentHash(begun.map((ref) => [ref.ingestDate, ref.revision]));
  const add = async (): Promise<TableSnapshot> =>
    await draft.addSnapshot({
      ...(await made()),
      ...{ parent: draft.tagged(MAIN), content },
      summary: { 'longhaul.days': `${begun.length} to ${newest.ingestDate}` },
    });
  draft.setHead(draft.withContent(content) ?? (await add()));
}

export function filesOf(versions: readonly DatedEntry[]): WantedFile[] {
  return versions.flatMap(({ entry: { id, parquet: parts, schema }, ingestDate }) => {
    const partition = { source: id, ingest_date: daysSinceEpoch(ingestDate) };
    return parts.map((part) => ({ part, columns: schema.columns, partition }));
  });
}

const DAY_MS = 86_400_000;

/** @param date YYYY-MM-DD. */
function daysSinceEpoch(date: string): number {
  return Date.parse(date) / DAY_MS;
}

const column = (name: string, type: Column['type']): Column => ({
  name,
  publisherName: name,
  type,
});

const DAYS_COLUMNS = [
  column('day', 'DATE'),
  column('source', 'VARCHAR'),
  column('version_date', 'DATE'),
];

export const DAYS_SCHEMA: IcebergSchema = {
  'schema-id': 0,
  type: 'struct',
  fields: DAYS_COLUMNS.map(({ name, type }, index) => ({
    ...{ id: LAST_OWN_ID + 1 + index, name, required: false, type: ICEBERG_TYPES[type] },
  })),
};

/** The writer holds a row group in memory: here a year of 90 sources. */
const WRITER_OPTIONS = { rowGroupSize: 32_768, pageSize: 4096, useDataPageV2: false };

/**
 * Writes all rows into one new file: a row takes a few bytes, and readers open one file instead of one a day.
 * @returns no file if there are no rows.
 */
async function writeDaysFile(
  { converted, prefix }: TableFolder,
  rows: readonly SourceOfDay[],
): Promise<ParquetPart[]> {
  if (rows.length === 0) return [];
  const output = new PassThrough();
  const written = buffer(output);
  const schema = writerSchema(DAYS_COLUMNS);
  const writer = await parquet.ParquetWriter.openStream(schema, output, WRITER_OPTIONS);
  for (const { day, source, versionDate } of rows) {
    const values = [daysSinceEpoch(day), source, daysSinceEpoch(versionDate)];
    const named = values.map((value, index) => [rowKey(index), value] as const);
    await writer.appendRow(Object.fromEntries(named));
  }
  await writer.close();
  const body = await written;
  const key = `${prefix}data/${contentHash(rows)}-${randomUUID().slice(0, 8)}.parquet`;
  await converted.put(key, body);
  return [{ key, rows: rows.length, bytes: body.length, checksum: '' }];
}
