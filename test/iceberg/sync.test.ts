import assert from 'node:assert/strict';
import { chmod, cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { describeTable } from '../../src/iceberg/describe-table.ts';
import type { SyncedTable } from '../../src/iceberg/sync.ts';
import { unpublish } from '../../src/lake/unpublish.ts';
import { snapshotManifestKey } from '../../src/model/layout.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import type { Store } from '../../src/storage/store.ts';
import { failureWith } from '../helpers/failure-with.ts';
import { TinyLake } from '../lake/tiny-lake.ts';
import { oneValue, synced } from './synced.ts';

const DATASET = 'a-b';
const DAYS = ['2026-01-01', '2026-01-02', '2026-01-03'] as const;

async function sync(converted: Store, rebuild = false): Promise<SyncedTable> {
  const table = await synced(converted, DATASET, { rebuild });
  assert.ok(table);
  return table;
}

/** Tag → the days of its summary, and the counts that readers of the metadata see. */
function tagsOf({ metadata }: SyncedTable): Record<string, string | undefined> {
  const snapshotOf = (id: number) =>
    metadata.snapshots.find((each) => each['snapshot-id'] === id)?.summary;
  return Object.fromEntries(
    Object.entries(metadata.refs)
      .map(([name, ref]) => [name, snapshotOf(ref['snapshot-id'])?.['longhaul.snapshot']] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function head({ metadata }: SyncedTable) {
  const id = metadata['current-snapshot-id'];
  return metadata.snapshots.find((each) => each['snapshot-id'] === id);
}

async function metadataFiles(lake: TinyLake): Promise<string[]> {
  return await readdir(join(lake.root, '_iceberg/a_b/metadata'));
}

void describe('the Iceberg table of a dataset', () => {
  it('has a tag for each day, and one snapshot for days that are the same', async () => {
    await using lake = await TinyLake.create();
    const first = await lake.publish(DATASET, DAYS[0], [oneValue('a', 1)]);
    await sync(lake.store);
    const sources = first.sources.map((entry) => ({ ...entry, status: 'unchanged' as const }));
    await lake.publishEntries({ dataset: DATASET, ingestDate: DAYS[1], revision: 1 }, sources);
    const table = await sync(lake.store);
    assert.deepEqual(tagsOf(table), {
      '2026-01-01': 'a-b/2026-01-01/r1',
      '2026-01-02': 'a-b/2026-01-01/r1',
      main: 'a-b/2026-01-01/r1',
    });
    assert.equal(table.metadata.snapshots.length, 1);
  });

  it('keeps a replaced revision by a tag of its own', async () => {
    await using lake = await TinyLake.create();
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 1)]);
    await sync(lake.store);
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 2)], 2);
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 3)], 3);
    const tags = {
      '2026-01-01': 'a-b/2026-01-01/r3',
      '2026-01-01.r1': 'a-b/2026-01-01/r1',
      '2026-01-01.r2': 'a-b/2026-01-01/r2',
      main: 'a-b/2026-01-01/r3',
    };
    assert.deepEqual(tagsOf(await sync(lake.store)), tags);
    assert.deepEqual(tagsOf(await sync(lake.store, true)), tags);
  });

  it('stays at the newest day where an older one is published later', async () => {
    await using lake = await TinyLake.create();
    await lake.publish(DATASET, DAYS[1], [oneValue('a', 1)]);
    const before = await sync(lake.store);
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 2)]);
    const table = await sync(lake.store);
    assert.equal(table.metadata['current-snapshot-id'], before.metadata['current-snapshot-id']);
    assert.equal(tagsOf(table)['2026-01-01'], 'a-b/2026-01-01/r1');
  });

  it('takes a source that its newest day lacks from a day that is published later', async () => {
    await using lake = await TinyLake.create();
    const missing = { id: 'b', columns: [] };
    const at = { dataset: DATASET, ingestDate: DAYS[2], revision: 1 };
    const { sources } = await lake.publish('other', DAYS[2], [oneValue('a', 1), missing]);
    const entries = sources.map((entry) =>
      entry.id === 'b' ? { ...entry, status: 'missing' as const } : entry,
    );
    await lake.publishEntries(at, entries);
    assert.equal(head(await sync(lake.store))?.summary['total-records'], '1');
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 2), oneValue('b', 3)]);
    assert.equal(head(await sync(lake.store))?.summary['total-records'], '2');
  });

  it('goes back to the newest day that remains when one is unpublished, by metadata alone', async () => {
    await using lake = await TinyLake.create();
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 1)]);
    const before = await sync(lake.store);
    await lake.publish(DATASET, DAYS[1], [oneValue('a', 1.5, 'DOUBLE')]);
    await sync(lake.store);
    const day = { dataset: DATASET, ingestDate: DAYS[1], reason: 'a test', by: 'x' };
    await unpublish({ raw: lake.store, converted: lake.store }, { ...day, withLater: false });
    const after = await sync(lake.store);
    assert.deepEqual(tagsOf(after), tagsOf(before));
    assert.equal(after.metadata['current-snapshot-id'], before.metadata['current-snapshot-id']);
    assert.deepEqual(after.after, before.after);
    // The next revision of the day has another file.
    await lake.publish(DATASET, DAYS[1], [oneValue('a', 3)], 2);
    assert.deepEqual(tagsOf(await sync(lake.store)), {
      '2026-01-01': 'a-b/2026-01-01/r1',
      '2026-01-02': 'a-b/2026-01-02/r2',
      main: 'a-b/2026-01-02/r2',
    });
  });

  it('is without a head when nothing is published any more', async () => {
    await using lake = await TinyLake.create();
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 1)]);
    await sync(lake.store);
    const day = { dataset: DATASET, ingestDate: DAYS[0], reason: 'a test', by: 'x' };
    await unpublish({ raw: lake.store, converted: lake.store }, { ...day, withLater: false });
    const { metadata } = await sync(lake.store);
    assert.deepEqual([metadata.snapshots, metadata.refs], [[], {}]);
  });

  it('does nothing where nothing was published since', async () => {
    await using lake = await TinyLake.create();
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 1)]);
    await sync(lake.store);
    const before = await lake.fingerprint();
    await sync(lake.store);
    assert.deepEqual(await lake.fingerprint(), before);
  });

  it('casts what is carried over once where a column widens', async () => {
    await using lake = await TinyLake.create();
    const first = await lake.publish(DATASET, DAYS[0], [oneValue('a', 1), oneValue('b', 7)]);
    await sync(lake.store);
    const { sources } = await lake.publish('other', DAYS[1], [oneValue('a', 1.5, 'DOUBLE')]);
    const carried = first.sources.filter(({ id }) => id === 'b');
    for (const [ingestDate, changed] of [
      [DAYS[1], sources],
      [DAYS[2], sources],
    ] as const) {
      const entries = [
        ...changed,
        ...carried.map((entry) => ({ ...entry, status: 'unchanged' as const })),
      ];
      await lake.publishEntries({ dataset: DATASET, ingestDate, revision: 1 }, entries);
      const table = await sync(lake.store);
      assert.deepEqual(
        table.after?.fields.map(({ name, type }) => `${name} ${type}`),
        ['n double', 'source string', 'ingest_date date'],
      );
    }
    // Two copies stay: one serves the head and the history, the other one only the history.
    assert.equal((await readdir(join(lake.root, '_iceberg/a_b/data'))).length, 2);
  });
});

void describe('the table, when something goes wrong', () => {
  it('gets the days of two writers at once, each once', async () => {
    await using lake = await TinyLake.create();
    for (const day of DAYS) await lake.publish(DATASET, day, [oneValue('a', 1)]);
    await Promise.all([1, 2, 3, 4].map(async () => await sync(lake.store)));
    const table = await sync(lake.store);
    assert.equal(table.metadata.snapshots.length, DAYS.length);
    assert.deepEqual(Object.keys(tagsOf(table)), [...DAYS, 'main']);
  });

  it('is found where its hint is lost, or behind', async () => {
    await using lake = await TinyLake.create();
    const hint = join(lake.root, '_iceberg/a_b/metadata/version-hint.text');
    for (const text of [undefined, '1', 'not a number', '99']) {
      await lake.publish(DATASET, DAYS[0], [oneValue('a', 1)], 1);
      await sync(lake.store);
      await lake.publish(DATASET, DAYS[1], [oneValue('a', 2)]);
      const { metadataFile } = await sync(lake.store);
      await (text === undefined ? rm(hint) : writeFile(hint, text));
      assert.equal((await sync(lake.store)).metadataFile, metadataFile);
    }
  });

  it('refuses another program’s commit, until it is made anew', async () => {
    await using lake = await TinyLake.create();
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 1)]);
    const { metadataFile, metadata } = await sync(lake.store);
    // Another writer commits the next version and keeps Longhaul's properties.
    const foreign = JSON.parse(await readFile(metadataFile, 'utf8')) as typeof metadata;
    foreign['last-updated-ms'] += 1;
    const next = metadataFile.replace('v1', 'v2');
    await writeFile(next, JSON.stringify(foreign));
    await lake.publish(DATASET, DAYS[1], [oneValue('a', 2)]);
    const before = await lake.fingerprint();
    await failureWith(sync(lake.store), 'TABLE_FOREIGN_COMMIT');
    assert.deepEqual(await lake.fingerprint(), before);
    const table = await sync(lake.store, true);
    assert.equal(table.metadataFile, metadataFile.replace('v1', 'v3'));
    assert.equal(tagsOf(table).main, 'a-b/2026-01-02/r1');
  });

  it('says which file is damaged, until it is made anew', async () => {
    await using lake = await TinyLake.create();
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 1)]);
    const { metadataFile } = await sync(lake.store);
    const text = await readFile(metadataFile, 'utf8');
    await writeFile(metadataFile, text.slice(0, text.length / 2));
    const { message } = await failureWith(sync(lake.store), 'TABLE_UNREADABLE');
    assert.ok(message.includes(metadataFile), message);
    const table = await sync(lake.store, true);
    assert.equal(tagsOf(table).main, 'a-b/2026-01-01/r1');
  });

  it('is made anew where its manifest is damaged', async () => {
    await using lake = await TinyLake.create();
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 1)]);
    await sync(lake.store);
    const manifest = (await metadataFiles(lake)).find((name) => name.endsWith('m0.avro')) ?? '';
    const path = join(lake.root, '_iceberg/a_b/metadata', manifest);
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, bytes.length - 1));
    await lake.publish(DATASET, DAYS[1], [oneValue('a', 2)]);
    await failureWith(sync(lake.store), 'TABLE_UNREADABLE');
    assert.equal(tagsOf(await sync(lake.store, true)).main, 'a-b/2026-01-02/r1');
  });

  it('gets the days after one whose manifest was damaged since, and says so', async () => {
    await using lake = await TinyLake.create();
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 1)]);
    await sync(lake.store);
    await lake.store.put(
      snapshotManifestKey({ dataset: DATASET, ingestDate: DAYS[0], revision: 1 }),
      '{',
    );
    await lake.publish(DATASET, DAYS[1], [oneValue('a', 2)]);
    await failureWith(sync(lake.store), 'MANIFEST_UNREADABLE');
    const table = await describeTable(lake.store, DATASET);
    assert.deepEqual(
      table?.tags.map(({ tag, publishedAs }) => `${tag} ${publishedAs}`),
      DAYS.slice(0, 2).map((day) => `${day} ${day}/r1`),
    );
  });

  it('leads to the files of the place that its lake was moved to', async () => {
    await using lake = await TinyLake.create();
    await lake.publish(DATASET, DAYS[0], [oneValue('a', 1)]);
    const { metadata } = await sync(lake.store);
    const moved = `${lake.root}-moved`;
    await cp(lake.root, moved, { recursive: true });
    const table = await sync(new DiskStore(moved));
    assert.equal(table.location, join(moved, '_iceberg/a_b'));
    assert.equal(table.metadata['table-uuid'], metadata['table-uuid']);
    assert.deepEqual(tagsOf(table), tagsOf(await sync(lake.store)));
  });

  it('is as private as the files that it has', async () => {
    await using lake = await TinyLake.create();
    const { sources } = await lake.publish(DATASET, DAYS[0], [oneValue('a', 1)]);
    await sync(lake.store);
    const part = sources[0]?.parquet[0];
    assert.ok(part);
    await chmod(lake.store.uri(part.key), 0o600);
    await lake.publish(DATASET, DAYS[1], [oneValue('b', 1.5, 'DOUBLE'), oneValue('a', 1)]);
    await lake.publishEntries({ dataset: DATASET, ingestDate: DAYS[2], revision: 1 }, sources);
    await sync(lake.store);
    for (const name of ['a_b/metadata', 'a_b/data', 'a_b_versions/metadata', 'a_b_days/data']) {
      const folder = join(lake.root, '_iceberg', name);
      assert.equal((await stat(folder)).mode & 0o077, 0, name);
      for (const file of await readdir(folder)) {
        assert.equal((await stat(join(folder, file))).mode & 0o077, 0, join(name, file));
      }
    }
  });

  it('says which Parquet file has not the rows of its manifest', async () => {
    await using lake = await TinyLake.create();
    const { sources } = await lake.publish('other', DAYS[0], [oneValue('a', 1)]);
    const wrong = sources.map((entry) => ({
      ...entry,
      parquet: entry.parquet.map((part) => ({ ...part, rows: 2 })),
    }));
    await lake.publishEntries({ dataset: DATASET, ingestDate: DAYS[0], revision: 1 }, wrong);
    await failureWith(sync(lake.store), 'LAKE_CORRUPT');
  });
});
