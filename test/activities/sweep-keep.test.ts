import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { ActivityDeps } from '../../src/activities/deps.ts';
import { createSweepActivities } from '../../src/activities/sweep.ts';
import { describeTable } from '../../src/iceberg/describe-table.ts';
import { readNewest, tablePrefix } from '../../src/iceberg/metadata.ts';
import { readSnapshotFiles } from '../../src/iceberg/snapshot.ts';
import { ingestDateAt } from '../../src/model/dates.ts';
import type { SweepResult } from '../../src/model/sweep.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import type { Lake } from '../../src/storage/store.ts';
import { dyingAt } from '../helpers/dying-lake.ts';
import { oneValue, synced } from '../iceberg/synced.ts';
import { TinyLake } from '../lake/tiny-lake.ts';

const DAY_MS = 86_400_000;
const [FIRST, SECOND, THIRD] = [daysAgo(50), daysAgo(40), daysAgo(2)] as const;
const duckdb = { memoryLimit: '1GiB', threads: 1 };

function daysAgo(days: number): string {
  return ingestDateAt(new Date(Date.now() - days * DAY_MS), 'UTC');
}

/** The second day carries `a` of the first day. The third day carries `a` and `b`. */
async function publishThreeDays(lake: TinyLake): Promise<void> {
  const unchanged = { status: 'unchanged' as const };
  const first = await lake.publish('d', FIRST, [oneValue('a', 1), oneValue('b', 10)]);
  const [a] = first.sources;
  const second = await lake.publish('d', SECOND, [oneValue('b', 20), oneValue('c', 200)]);
  const c = second.sources.find(({ id }) => id === 'c');
  assert.ok(a && c);
  const at = { dataset: 'd', ingestDate: THIRD, revision: 1 };
  await lake.publishEntries(at, [
    { ...a, ...unchanged },
    { ...c, ...unchanged },
  ]);
  await synced(lake.store, 'd');
}

async function sweep(lake: Lake): Promise<SweepResult> {
  const deps = { ...lake, duckdb, activity: { heartbeatTimeoutMs: 60_000, retryForMs: 0 } };
  const { sweepLeftovers } = createSweepActivities(deps as unknown as ActivityDeps);
  // Temporal lists no workflow run.
  const workflow = { list: async function* () {}, count: async () => ({ count: 0 }) };
  const withAbortSignal = async (_: unknown, act: () => unknown): Promise<unknown> => await act();
  const client = { workflow, withAbortSignal } as unknown as Client;
  const logger = new DefaultLogger('ERROR');
  const environment = new MockActivityEnvironment({}, { logger, client });
  const keep = [{ dataset: 'd', timeZone: 'UTC', days: 30 }];
  const input = { olderThanMs: 0, keep, dryRun: false, heartbeatTimeoutMs: 60_000 };
  return (await environment.run(sweepLeftovers, input)) as SweepResult;
}

/** Asserts that each file which the table or a query opens exists. */
async function assertReadable(lake: TinyLake): Promise<void> {
  const prefix = tablePrefix('d');
  const newest = await readNewest(lake.store, prefix);
  assert.ok(newest);
  for (const snapshot of newest.metadata.snapshots) {
    const { entries } = await readSnapshotFiles({ converted: lake.store, prefix }, snapshot);
    for (const {
      data_file: { file_path: path },
    } of entries) {
      const key = path.slice(lake.root.length + 1);
      assert.ok((await lake.store.size(key)) !== undefined, `${path} is gone`);
    }
  }
  assert.deepEqual(await lake.rows('SELECT source, n FROM d ORDER BY ALL'), [
    { source: 'a', n: 1 },
    { source: 'c', n: 200 },
  ]);
  await lake.rows('SELECT * FROM d_history');
}

test('a sweep that dies at any change leaves a lake and a table that read rightly, and the next one completes it', async () => {
  for (let change = 0, isOver = false; !isOver; change += 1) {
    await using lake = await TinyLake.create();
    await publishThreeDays(lake);
    const whole = { raw: new DiskStore(`${lake.root}-raw`), converted: lake.store };
    isOver = await sweep(dyingAt(whole, change)).then(
      () => true,
      () => false,
    );
    await assertReadable(lake);
    const { items } = await sweep(whole);
    await assertReadable(lake);
    if (isOver) assert.deepEqual(items, []);
    const tags = (await describeTable(lake.store, 'd'))?.tags.map(({ tag }) => tag);
    assert.deepEqual(tags, [THIRD]);
    assert.deepEqual(await lake.rows('SELECT source, n FROM d_history ORDER BY ALL'), [
      { source: 'a', n: 1 },
      { source: 'c', n: 200 },
    ]);
    const left: string[] = [];
    for await (const { key } of lake.store.list('d/')) left.push(key);
    assert.deepEqual(
      left.filter((key) => key.endsWith('.parquet')).map((key) => key.split('/')[2]),
      ['source=a', 'source=c'],
    );
    assert.ok(change < 50);
  }
});
