import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { describeTable } from '../../src/iceberg/describe-table.ts';
import { syncTable } from '../../src/iceberg/sync.ts';
import { tableLeftovers } from '../../src/iceberg/table-leftovers.ts';
import { TinyLake } from '../lake/tiny-lake.ts';

const THREE_DAYS_MS = 3 * 24 * 60 * 60_000;

async function sync(lake: TinyLake, rebuild = false): Promise<void> {
  const { signal } = new AbortController();
  const duckdb = { memoryLimit: '1GiB', threads: 1 };
  await syncTable({ converted: lake.store, duckdb, dataset: 'd', signal, rebuild });
}

async function leftovers(lake: TinyLake, laterMs: number): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of tableLeftovers(lake.store, Date.now() + laterMs)) {
    keys.push(key.slice('_iceberg/d/'.length));
  }
  return keys.toSorted();
}

async function publish(lake: TinyLake, day: number, type: 'BIGINT' | 'DOUBLE'): Promise<void> {
  const columns = [{ name: 'n', type }];
  const source = { columns, select: `SELECT ${day}::${type} AS n` };
  await lake.publish('d', `2026-01-0${day}`, [{ id: 'a', ...source }]);
  await sync(lake);
}

describe('what a sweep finds of a table', () => {
  it('is the versions before the newest, and what a worker left before its commit', async () => {
    await using lake = await TinyLake.create();
    await publish(lake, 1, 'BIGINT');
    await publish(lake, 2, 'DOUBLE');
    const uncommitted = `data/${'0'.repeat(32)}-${'1'.repeat(8)}.parquet`;
    await lake.store.put(`_iceberg/d/${uncommitted}`, 'x');
    await writeFile(join(lake.root, '_iceberg/d/metadata/notes.txt'), 'an operator’s');
    assert.deepEqual(await leftovers(lake, THREE_DAYS_MS), [
      uncommitted,
      'metadata/v1.metadata.json',
    ]);
    // A commit that is under way may be about to name any of them.
    assert.deepEqual(await leftovers(lake, 0), []);
  });

  it('leaves every tag readable when it is gone', async () => {
    await using lake = await TinyLake.create();
    await publish(lake, 1, 'BIGINT');
    await publish(lake, 2, 'DOUBLE');
    await publish(lake, 3, 'BIGINT');
    const before = await describeTable(lake.store, 'd');
    for (const key of await leftovers(lake, THREE_DAYS_MS)) {
      await lake.store.delete(`_iceberg/d/${key}`);
    }
    assert.deepEqual(await describeTable(lake.store, 'd'), before);
    // A new version reads what the tags name.
    await publish(lake, 4, 'DOUBLE');
    assert.equal((await describeTable(lake.store, 'd'))?.tags.length, 4);
    await sync(lake, true);
  });

  it('is nothing of a table that cannot be read', async () => {
    await using lake = await TinyLake.create();
    await publish(lake, 1, 'BIGINT');
    await publish(lake, 2, 'DOUBLE');
    await writeFile(join(lake.root, '_iceberg/d/metadata/v2.metadata.json'), '{');
    assert.deepEqual(await leftovers(lake, THREE_DAYS_MS), []);
  });
});
