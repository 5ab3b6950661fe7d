import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshotManifestKey } from '../../src/model/layout.ts';
import type { RevisionAt } from '../../src/model/manifest.ts';
import { findLeftovers, type Leftover } from '../../src/storage/leftovers.ts';
import { findWithdrawn } from '../../src/storage/withdrawn-files.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { KeptLake } from './kept-lake.ts';

const DAY_MS = 24 * 3_600_000;
const [FIRST, SECOND, THIRD] = ['2026-01-01', '2026-01-02', '2026-01-03'] as const;
const { signal } = new AbortController();

/** Tombstones have the present time, so the test moves the present instead. */
async function find(lake: KeptLake, daysLater: number): Promise<Leftover[]> {
  const nowMs = Date.now() + daysLater * DAY_MS + 1000;
  const limit = { unpublishedAfterMs: 30 * DAY_MS, endedAfterMs: 0 };
  return await findWithdrawn(lake, { ...limit, nowMs, signal });
}

function at(ingestDate: string, revision = 1): RevisionAt {
  return { ingestDate, revision };
}

async function withLake(body: (lake: KeptLake) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => await body(new KeptLake(folder)));
}

test('files of a day that was unpublished long ago go, the landing manifest before its file; no manifest of a day does', async () => {
  await withLake(async (lake) => {
    for (const day of [FIRST, FIRST, SECOND]) await lake.publish(day, { a: 'new' });
    await lake.withdraw(at(FIRST, 2));
    assert.deepEqual(await find(lake, 29), []);
    const found = await find(lake, 30);
    const source = `d/ingest_date=${FIRST}/_r2/source=a`;
    assert.deepEqual(
      found.map(({ kind, zone, key, bytes }) => [kind, zone, key, bytes]),
      [
        ['unpublished', 'converted', `${source}/part-01234567-89abcdef-00000.parquet`, 7],
        ['unpublished', 'raw', `${source}/x.csv.manifest.json`, 3],
        ['unpublished', 'raw', `${source}/x.csv`, 3],
      ],
    );
    const before = await lake.files();
    for (const each of found) await each.remove();
    const gone = new Set(found.map(({ key }) => key));
    assert.deepEqual(
      await lake.files(),
      before.filter((key) => !gone.has(key)),
    );
    assert.deepEqual(await find(lake, 30), []);
  });
});

test('what a published day names stays, and what a day names that was unpublished a short while ago', async () => {
  await withLake(async (lake) => {
    await lake.publish(FIRST, { a: 'new', b: 'new' });
    await lake.publish(SECOND, { a: 'unchanged', b: 'unchanged' });
    await lake.publish(THIRD, { b: 'unchanged' });
    // A host leaves this when it dies after its check and before it writes the tombstone.
    await lake.withdraw(at(FIRST));
    const keys = async (): Promise<string[]> => (await find(lake, 30)).map(({ key }) => key);
    assert.deepEqual(await keys(), []);
    await lake.withdraw(at(SECOND));
    assert.ok((await keys()).every((key) => key.includes('/source=a/')));
    assert.equal((await keys()).length, 3);
    await lake.withdraw(at(THIRD));
    assert.equal((await keys()).length, 6);
  });
});

test('a sweep without the option removes nothing of what was unpublished', async () => {
  await withLake(async (lake) => {
    await lake.publish(FIRST, { a: 'new' });
    await lake.withdraw(at(FIRST));
    const limit = { olderThanMs: 0, nowMs: Date.now() + 400 * DAY_MS, signal };
    assert.deepEqual((await findLeftovers(lake, limit)).old, []);
  });
});

test('a dataset with a manifest that cannot be read keeps all of its files', async () => {
  await withLake(async (lake) => {
    await lake.publish(FIRST, { a: 'new' });
    await lake.withdraw(at(FIRST));
    await lake.converted.put(
      snapshotManifestKey({ dataset: 'd', ingestDate: SECOND, revision: 1 }),
      '{}',
    );
    assert.deepEqual(await find(lake, 30), []);
  });
});
