import assert from 'node:assert/strict';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { it } from 'node:test';
import { describeTable } from '../../src/iceberg/describe-table.ts';
import {
  headOf,
  readNewest,
  tablePrefix,
  TABLES,
  type TableSuffix,
} from '../../src/iceberg/metadata.ts';
import { partName, snapshotManifestKey, sourcePrefix } from '../../src/model/layout.ts';
import type { Store } from '../../src/storage/store.ts';
import { crashingAt } from '../helpers/crashing-store.ts';
import { entryOf, snapshotJson } from '../helpers/manifests.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { writeParquet } from '../lake/tiny-lake.ts';
import { synced } from './synced.ts';

const [FIRST, SECOND] = ['2026-01-01', '2026-01-02'] as const;
/**
 * Tests a store: if the worker crashes before any write of the tables' commit, the next sync completes the commit.
 * @param writes number of writes by the worker's process: for each of three tables a manifest, a manifest list, a
 *   commit and a hint; the file of days; and on a disk a copy of the first day's file, because its column has widened.
 */
export function testCommitCrashes(
  { name, writes }: { name: string; writes: number },
  withStore: <T>(body: (store: Store) => Promise<T>) => Promise<T>,
): void {
  it(`the tables ${name} are as they were, or new, after a crash at any write, and complete after the sync behind it`, async () => {
    let crashes = 0;
    while (await withStore(async (store) => await crashesAt(crashes + 1, store))) crashes += 1;
    assert.equal(crashes, writes);
  });
}

/** @returns false if the commit has fewer writes. */
async function crashesAt(write: number, store: Store): Promise<boolean> {
  await publish(store, FIRST, 'BIGINT');
  await synced(store, 'd');
  await publish(store, SECOND, 'DOUBLE');
  const hasCrashed = await synced(crashingAt(write, store), 'd').then(
    () => false,
    (error: unknown) => {
      assert.match(String(error), /the worker was killed/);
      return true;
    },
  );
  const between = await describeTable(store, 'd');
  const tags = between?.tags.map(({ tag }) => tag) ?? [];
  assert.equal(between?.snapshotId, between?.tags.at(-1)?.snapshotId);
  assert.ok([FIRST, `${FIRST} ${SECOND}`].includes(tags.join(' ')), tags.join(' '));
  await synced(store, 'd');
  const rows = [TABLES.main, TABLES.versions, TABLES.days].map(async (suffix) =>
    rowsOf(store, suffix),
  );
  assert.deepEqual(await Promise.all(rows), [1, 2, 2]);
  assert.deepEqual(
    (await describeTable(store, 'd'))?.tags.map(({ tag }) => tag),
    [FIRST, SECOND],
  );
  return hasCrashed;
}

async function publish(store: Store, ingestDate: string, type: 'BIGINT' | 'DOUBLE'): Promise<void> {
  const at = { dataset: 'd', ingestDate, revision: 1 };
  const key = `${sourcePrefix({ ...at, source: 'a' })}${partName(0)}`;
  const body = await oneRow(type);
  await store.put(key, body);
  const columns = [{ name: 'n', publisherName: 'n', type }];
  const parquet = [{ key, rows: 1, bytes: body.length, checksum: '' }];
  const sources = [entryOf({ schema: { columns }, parquet })];
  await store.putIfAbsent(snapshotManifestKey(at), snapshotJson({ ...at, sources }));
}

/** The Parquet file of a day, with one row. */
async function oneRow(type: string): Promise<Buffer> {
  return await withTempFolder(async (folder) => {
    const path = join(folder, 'one.parquet');
    await writeParquet(`SELECT 1::${type} AS n`, path);
    return await readFile(path);
  });
}

async function rowsOf(store: Store, suffix: TableSuffix): Promise<number> {
  const newest = await readNewest(store, tablePrefix('d', suffix));
  return Number(newest && headOf(newest.metadata)?.summary['total-records']);
}
