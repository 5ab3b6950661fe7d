import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { landingManifestKey, snapshotManifestKey, sourcePrefix } from '../../src/model/layout.ts';
import type { RevisionAt, SourceEntry } from '../../src/model/manifest.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { findLeftovers, type Leftover } from '../../src/storage/leftovers.ts';
import { putTombstone } from '../../src/storage/manifests.ts';
import { findWithdrawn } from '../../src/storage/withdrawn-files.ts';
import { entryOf, snapshotJson } from '../helpers/manifests.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

const DAY_MS = 24 * 3_600_000;
const [FIRST, SECOND, THIRD] = ['2026-01-01', '2026-01-02', '2026-01-03'] as const;
const { signal } = new AbortController();

class DiskLake {
  readonly raw: DiskStore;
  readonly converted: DiskStore;

  constructor(folder: string) {
    this.raw = new DiskStore(join(folder, 'raw'));
    this.converted = new DiskStore(join(folder, 'converted'));
  }

  /** Files of one source. */
  async source(id: string, at: RevisionAt): Promise<SourceEntry> {
    const prefix = sourcePrefix({ dataset: 'd', source: id, ...at });
    const [rawKey, key] = [`${prefix}x.csv`, `${prefix}part-01234567-89abcdef-00000.parquet`];
    for (const each of [rawKey, landingManifestKey(rawKey)]) await this.raw.put(each, 'raw');
    await this.converted.put(key, 'parquet');
    return entryOf({ id, rawKey, parquet: [{ key, rows: 0, bytes: 7, checksum: '' }] });
  }

  async publish(at: RevisionAt, ...sources: SourceEntry[]): Promise<SourceEntry[]> {
    const key = snapshotManifestKey('d', at.ingestDate, at.revision);
    await this.converted.putIfAbsent(key, snapshotJson({ dataset: 'd', ...at, sources }));
    return sources.map((entry) => ({ ...entry, status: 'unchanged' }));
  }

  async unpublish(at: RevisionAt): Promise<void> {
    await putTombstone(this.converted, { dataset: 'd', ...at, reason: 'x', by: 'y' });
  }

  /** Tombstones have the present time: so the present is moved instead. */
  async find(daysLater: number): Promise<Leftover[]> {
    const nowMs = Date.now() + daysLater * DAY_MS + 1000;
    const limit = { unpublishedAfterMs: 30 * DAY_MS, endedAfterMs: 0 };
    return await findWithdrawn(this, { ...limit, nowMs, signal });
  }

  async files(): Promise<string[]> {
    const keys: string[] = [];
    for (const store of [this.raw, this.converted]) {
      for await (const { key } of store.list('')) keys.push(key);
    }
    return keys.toSorted();
  }
}

function at(ingestDate: string, revision = 1): RevisionAt {
  return { ingestDate, revision };
}

async function withLake(body: (lake: DiskLake) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => await body(new DiskLake(folder)));
}

test('files of a day that was unpublished long ago go, the landing manifest before its file; no manifest of a day does', async () => {
  await withLake(async (lake) => {
    await lake.publish(at(FIRST), await lake.source('a', at(FIRST)));
    await lake.publish(at(FIRST, 2), await lake.source('a', at(FIRST, 2)));
    await lake.publish(at(SECOND), await lake.source('a', at(SECOND)));
    await lake.unpublish(at(FIRST, 2));
    assert.deepEqual(await lake.find(29), []);
    const found = await lake.find(30);
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
    assert.deepEqual(await lake.find(30), []);
  });
});

test('what a published day names stays, and what a day names that was unpublished a short while ago', async () => {
  await withLake(async (lake) => {
    const [a, b] = await lake.publish(
      at(FIRST),
      await lake.source('a', at(FIRST)),
      await lake.source('b', at(FIRST)),
    );
    assert.ok(a && b);
    await lake.publish(at(SECOND), a);
    await lake.publish(at(THIRD), b);
    // As a host leaves it that died between its look and its tombstone.
    await lake.unpublish(at(FIRST));
    const keys = async (): Promise<string[]> => (await lake.find(30)).map(({ key }) => key);
    assert.deepEqual(await keys(), []);
    await lake.unpublish(at(SECOND));
    assert.ok((await keys()).every((key) => key.includes('/source=a/')));
    assert.equal((await keys()).length, 3);
    await lake.unpublish(at(THIRD));
    assert.equal((await keys()).length, 6);
  });
});

test('a sweep without the option removes nothing of what was unpublished', async () => {
  await withLake(async (lake) => {
    await lake.publish(at(FIRST), await lake.source('a', at(FIRST)));
    await lake.unpublish(at(FIRST));
    const limit = { olderThanMs: 0, nowMs: Date.now() + 400 * DAY_MS, signal };
    assert.deepEqual((await findLeftovers(lake, limit)).old, []);
  });
});

test('a dataset with a manifest that cannot be read keeps all of its files', async () => {
  await withLake(async (lake) => {
    await lake.publish(at(FIRST), await lake.source('a', at(FIRST)));
    await lake.unpublish(at(FIRST));
    await lake.converted.put(snapshotManifestKey('d', SECOND, 1), '{}');
    assert.deepEqual(await lake.find(30), []);
  });
});
