import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeHistory } from '../../src/iceberg/describe-table.ts';
import { readNewest, tablePrefix, TABLES, type TableSuffix } from '../../src/iceberg/metadata.ts';
import { readSnapshotFiles } from '../../src/iceberg/snapshot.ts';
import { unpublish } from '../../src/lake/unpublish.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { failureWith } from '../helpers/failure-with.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { TinyLake } from '../lake/tiny-lake.ts';
import { testCommitCrashes } from './crash-contract.ts';
import { oneValue, synced } from './synced.ts';

const DATASET = 'a-b';
const [FIRST, SECOND, THIRD] = ['2026-01-01', '2026-01-02', '2026-01-03'] as const;

async function sync(lake: TinyLake, { dataset = DATASET, rebuild = false } = {}): Promise<void> {
  await synced(lake.store, dataset, { rebuild });
}

async function head(lake: TinyLake, suffix: TableSuffix) {
  const prefix = tablePrefix(DATASET, suffix);
  const { metadata } = (await readNewest(lake.store, prefix)) ?? {};
  const id = metadata?.['current-snapshot-id'];
  const snapshot = metadata?.snapshots.find((each) => each['snapshot-id'] === id);
  const files = snapshot && (await readSnapshotFiles({ converted: lake.store, prefix }, snapshot));
  const { 'total-records': rows = '0' } = snapshot?.summary ?? {};
  return { metadata, rows: Number(rows), manifests: files?.manifests, entries: files?.entries };
}

/** `source ingest_date` of each file in the table of versions. */
async function versions(lake: TinyLake): Promise<string[]> {
  const { entries = [] } = await head(lake, TABLES.versions);
  return entries
    .map(({ data_file: { partition } }) => {
      const date = new Date((partition.ingest_date ?? 0) * 86_400_000).toISOString();
      return `${partition.source} ${date.slice(0, 10)}`;
    })
    .toSorted();
}

void describe('the tables of a history', () => {
  it('have a version once, however many days consist of it', async () => {
    await using lake = await TinyLake.create();
    const { sources } = await lake.publish(DATASET, FIRST, [oneValue('a', 1), oneValue('b', 1)]);
    await sync(lake);
    const unchanged = sources.map((entry) => ({ ...entry, status: 'unchanged' as const }));
    const second = { dataset: DATASET, ingestDate: SECOND, revision: 1 };
    await lake.publishEntries(second, unchanged);
    await sync(lake);
    assert.deepEqual(await versions(lake), [`a ${FIRST}`, `b ${FIRST}`]);
    assert.equal((await head(lake, TABLES.days)).rows, 4);
    // A day without new versions adds no manifest.
    assert.equal((await head(lake, TABLES.versions)).manifests?.length, 1);
    await lake.publish(DATASET, THIRD, [oneValue('a', 2)]);
    await sync(lake);
    assert.deepEqual(await versions(lake), [`a ${FIRST}`, `a ${THIRD}`, `b ${FIRST}`]);
    assert.equal((await head(lake, TABLES.versions)).manifests?.length, 2);
    const history = await describeHistory(lake.store, DATASET);
    assert.deepEqual(
      history?.days.columns.map(({ name, type }) => `${name} ${type}`),
      ['day DATE', 'source VARCHAR', 'version_date DATE'],
    );
  });

  it('have no version that a revision has replaced, unless a later day consists of it', async () => {
    await using lake = await TinyLake.create();
    const { sources } = await lake.publish(DATASET, FIRST, [oneValue('a', 1), oneValue('b', 1)]);
    const unchanged = sources
      .filter(({ id }) => id === 'a')
      .map((entry) => ({ ...entry, status: 'unchanged' as const }));
    await lake.publishEntries({ dataset: DATASET, ingestDate: SECOND, revision: 1 }, unchanged);
    await sync(lake);
    await lake.publish(DATASET, FIRST, [oneValue('a', 2), oneValue('b', 2)], 2);
    await sync(lake);
    assert.deepEqual(await versions(lake), [`a ${FIRST}`, `a ${SECOND}`, `b ${FIRST}`]);
    assert.equal((await head(lake, TABLES.days)).rows, 3);
  });

  it('lose a day that is unpublished', async () => {
    await using lake = await TinyLake.create();
    const day = { dataset: DATASET, reason: 'a test', by: 'x', withLater: false };
    for (const ingestDate of [FIRST, SECOND]) {
      await lake.publish(DATASET, ingestDate, [oneValue('a', 1)]);
    }
    await sync(lake);
    for (const [ingestDate, left] of [
      [FIRST, [`a ${SECOND}`]],
      [SECOND, []],
    ] as const) {
      await unpublish({ raw: lake.store, converted: lake.store }, { ...day, ingestDate });
      await sync(lake);
      assert.deepEqual(await versions(lake), left);
      assert.equal((await head(lake, TABLES.days)).rows, left.length);
    }
  });

  testCommitCrashes({ name: 'on disk', writes: 14 }, async (body) => {
    return await withTempFolder(async (folder) => await body(new DiskStore(folder)));
  });

  it('get the days of many writers at once, each once', async () => {
    await using lake = await TinyLake.create();
    for (const day of [FIRST, SECOND, THIRD]) await lake.publish(DATASET, day, [oneValue('a', 1)]);
    await Promise.all([1, 2, 3, 4].map(async () => await sync(lake)));
    assert.deepEqual(await versions(lake), [`a ${FIRST}`, `a ${SECOND}`, `a ${THIRD}`]);
    assert.equal((await head(lake, TABLES.days)).rows, 3);
  });

  it('are not those of a dataset that has their name from before such names were refused', async () => {
    await using lake = await TinyLake.create();
    await lake.publish(`${DATASET}-versions`, FIRST, [oneValue('a', 1)]);
    await sync(lake, { dataset: `${DATASET}-versions` });
    await lake.publish(DATASET, FIRST, [oneValue('a', 1)]);
    const { message } = await failureWith(sync(lake), 'TABLE_FOREIGN_COMMIT');
    assert.match(message, /a table of another dataset, a-b-versions/);
    await sync(lake, { rebuild: true });
    assert.deepEqual(await versions(lake), [`a ${FIRST}`]);
  });
});
