import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Column } from '../../src/model/schema.ts';
import { filesOf } from '../../src/iceberg/follow.ts';
import type { TableSnapshot } from '../../src/iceberg/metadata.ts';
import { readSnapshotFiles } from '../../src/iceberg/snapshot.ts';
import { writeSnapshot } from '../../src/iceberg/snapshot.ts';
import { evolve, PARTITION_SPEC } from '../../src/iceberg/table-schema.ts';
import { entryOf } from '../helpers/manifests.ts';
import { TinyLake, writeParquet } from '../lake/tiny-lake.ts';

const SNAPSHOTS = 103;

test('a snapshot that only adds files adds a manifest, and the hundred of its parent become one', async () => {
  await using lake = await TinyLake.create();
  const columns: Column[] = [{ name: 'n', publisherName: 'n', type: 'BIGINT' }];
  const schema = evolve([], [columns]);
  await writeParquet('SELECT 1::BIGINT AS n', lake.store.uri('one.parquet'));
  const body = (await lake.store.get('one.parquet')) ?? '';
  const { signal } = new AbortController();
  const table = { converted: lake.store, prefix: '_iceberg/d/' };
  const parquet: { key: string; rows: number; bytes: number; checksum: string }[] = [];
  let parent: TableSnapshot | undefined;
  const counts: number[] = [];
  for (let number = 1; number <= SNAPSHOTS; number += 1) {
    const key = `${number}.parquet`;
    await lake.store.put(key, body);
    parquet.push({ key, rows: 1, bytes: 1, checksum: '' });
    const entry = entryOf({ parquet, schema: { columns } });
    parent = await writeSnapshot({
      ...{ ...table, duckdb: { memoryLimit: '1GiB', threads: 1 }, signal, spec: PARTITION_SPEC },
      ...{ copiesPrefix: table.prefix, shared: [], schema, summary: {} },
      keepPrivate: async () => undefined,
      ...{ id: number, sequenceNumber: number, timestampMs: 0 },
      parent: parent && { snapshot: parent, schema },
      files: filesOf([{ entry, ingestDate: '2026-01-01' }]),
    });
    const { manifests, entries } = await readSnapshotFiles(table, parent);
    assert.equal(entries.length, number);
    counts.push(manifests.length);
  }
  assert.equal(Math.max(...counts), 100);
  assert.deepEqual(counts.slice(98, 102), [99, 100, 1, 2]);
  assert.equal(parent?.summary['total-records'], String(SNAPSHOTS));
});
