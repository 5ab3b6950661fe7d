import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import parquet from 'parquetjs-lite';
import { rowKey, writerSchema } from '../conversion/parquetjs/schema.ts';
import type { ParquetPart } from '../model/manifest.ts';
import type { Column } from '../model/schema.ts';
import { openTemporaryFolder } from '../storage/temporary-folder.ts';
import { contentHash, daysSinceEpoch } from './days.ts';
import type { TableFolder } from './read-snapshot.ts';
import { ICEBERG_TYPES, LAST_OWN_ID, type IcebergSchema } from './table-schema.ts';

/** A source of a published day, and the version of it that the day consists of. */
export interface SourceOfDay {
  day: string;
  source: string;
  versionDate: string;
}

const column = (name: string, type: Column['type']): Column => ({
  name,
  publisherName: name,
  type,
});

export const DAYS_COLUMNS = [
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

/** The writer holds a group in memory: here a year of 90 sources. */
const WRITER_OPTIONS = { rowGroupSize: 32_768, pageSize: 4096, useDataPageV2: false };

/**
 * Writes all of it into one new file: a row is a few bytes there, and readers open one file instead of one a day.
 * @returns none where there are no rows.
 */
export async function writeDaysFile(
  { converted, prefix }: TableFolder,
  rows: readonly SourceOfDay[],
): Promise<ParquetPart[]> {
  if (rows.length === 0) return [];
  const scratch = await openTemporaryFolder();
  try {
    const path = join(scratch.folder, 'days.parquet');
    const schema = writerSchema(DAYS_COLUMNS);
    const writer = await parquet.ParquetWriter.openFile(schema, path, WRITER_OPTIONS);
    for (const { day, source, versionDate } of rows) {
      const values = [daysSinceEpoch(day), source, daysSinceEpoch(versionDate)];
      const named = values.map((value, index) => [rowKey(index), value] as const);
      await writer.appendRow(Object.fromEntries(named));
    }
    await writer.close();
    const body = await readFile(path);
    const key = `${prefix}data/${contentHash(rows)}-${randomUUID().slice(0, 8)}.parquet`;
    await converted.put(key, body);
    return [{ key, rows: rows.length, bytes: body.length, checksum: '' }];
  } finally {
    await scratch.close();
  }
}
