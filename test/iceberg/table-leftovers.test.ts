import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { describeTable } from '../../src/iceberg/describe-table.ts';
import { readNewest, tablePrefix, TABLES } from '../../src/iceberg/metadata.ts';
import { readSnapshotFiles } from '../../src/iceberg/snapshot.ts';
import { tableLeftovers } from '../../src/iceberg/table-leftovers.ts';
import { readFooter } from '../../src/verification/footers.ts';
import { TinyLake } from '../lake/tiny-lake.ts';
import { oneValue, synced } from './synced.ts';

const THREE_DAYS_MS = 3 * 24 * 60 * 60_000;

async function leftovers(lake: TinyLake, laterMs: number): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of tableLeftovers(lake.store, Date.now() + laterMs)) {
    keys.push(key.slice('_iceberg/'.length));
  }
  return keys.toSorted();
}

/** A table of the history has one snapshot only. These files of the former snapshot are left. */
const FORMER = ['snap-*.avro', 'v1.metadata.json'];

/** Replaces the parts of names that differ from run to run: the ids of snapshots and files. */
function generic(keys: string[]): string[] {
  return keys
    .map((key) => key.replace(/snap-.*(?=\.avro)/, 'snap-*').replace(/[\da-f-]{36,}(?=[-.])/, '*'))
    .toSorted();
}

async function publish(lake: TinyLake, day: number, type: 'BIGINT' | 'DOUBLE'): Promise<void> {
  await lake.publish('d', `2026-01-0${day}`, [oneValue('a', day, type)]);
  await synced(lake.store, 'd');
}

describe('what a sweep finds of a table', () => {
  it('is the versions before the newest, and what a worker left before its commit', async () => {
    await using lake = await TinyLake.create();
    await publish(lake, 1, 'BIGINT');
    await publish(lake, 2, 'DOUBLE');
    const uncommitted = `d/data/${'0'.repeat(32)}-${'1'.repeat(8)}.parquet`;
    await lake.store.put(`_iceberg/${uncommitted}`, 'x');
    await writeFile(join(lake.root, '_iceberg/d/metadata/notes.txt'), 'an operator’s');
    const found = await leftovers(lake, THREE_DAYS_MS);
    assert.ok(found.includes(uncommitted));
    assert.deepEqual(generic(found.filter((key) => key !== uncommitted)), [
      'd/metadata/v1.metadata.json',
      'd_days/data/*.parquet',
      ...['*-m0.avro', ...FORMER].map((name) => `d_days/metadata/${name}`),
      // The commit cast the first day's file, so it wrote the manifest anew. The copy is in the main table's folder.
      ...['*-m0.avro', ...FORMER].map((name) => `d_versions/metadata/${name}`),
    ]);
    // A commit in progress may be about to name any of the files.
    assert.deepEqual(await leftovers(lake, 0), []);
  });

  it('leaves every tag readable when it is gone', async () => {
    await using lake = await TinyLake.create();
    await publish(lake, 1, 'BIGINT');
    await publish(lake, 2, 'DOUBLE');
    await publish(lake, 3, 'BIGINT');
    const before = await describeTable(lake.store, 'd');
    for (const key of await leftovers(lake, THREE_DAYS_MS)) {
      await lake.store.delete(`_iceberg/${key}`);
    }
    assert.deepEqual(await describeTable(lake.store, 'd'), before);
    assert.equal(await historyRows(lake), 3);
    // A new version reads the files that the tags name.
    await publish(lake, 4, 'DOUBLE');
    assert.equal((await describeTable(lake.store, 'd'))?.tags.length, 4);
    await synced(lake.store, 'd', { rebuild: true });
  });

  it('is nothing of a table that cannot be read', async () => {
    await using lake = await TinyLake.create();
    await publish(lake, 1, 'BIGINT');
    await publish(lake, 2, 'DOUBLE');
    await writeFile(join(lake.root, '_iceberg/d/metadata/v2.metadata.json'), '{');
    const found = await leftovers(lake, THREE_DAYS_MS);
    assert.ok(found.every((key) => !key.startsWith('d/')));
  });
});

/** Rows of the Parquet files that the table of versions names. */
async function historyRows(lake: TinyLake): Promise<number> {
  const prefix = tablePrefix('d', TABLES.versions);
  const snapshot = (await readNewest(lake.store, prefix))?.metadata.snapshots[0];
  assert.ok(snapshot);
  const table = { converted: lake.store, prefix };
  const { entries } = await readSnapshotFiles(table, snapshot);
  const counts = entries.map(async ({ data_file: { file_path: path } }) => {
    const key = relative(lake.root, path);
    return (await readFooter(lake.store, key)).rows;
  });
  return (await Promise.all(counts)).reduce((a, b) => a + b, 0);
}
