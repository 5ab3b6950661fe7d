import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { testStore } from './store-contract.ts';

testStore('disk', async (body) => {
  await withTempFolder(async (folder) => {
    await body(new DiskStore(join(folder, 'zone')));
  });
});

it('leaves no temporary file behind, won or lost', async () => {
  await withTempFolder(async (folder) => {
    const store = new DiskStore(folder);
    await store.putIfAbsent('a', '1');
    await store.putIfAbsent('a', '2');
    await store.put('a', '3');
    assert.deepEqual(await readdir(folder), ['a']);
  });
});

it('says what to do where it may not write', async () => {
  await withTempFolder(async (folder) => {
    await writeFile(join(folder, 'file'), '');
    const store = new DiskStore(join(folder, 'file', 'zone'));
    await assert.rejects(store.putIfAbsent('a', '1'), { code: 'LAKE_NOT_WRITABLE' });
  });
});

it('deletes what a killed writer left of a day, and nothing else', async () => {
  await withTempFolder(async (folder) => {
    const store = new DiskStore(folder);
    const day = 'denver-311/ingest_date=2026-11-23/';
    const other = 'denver-311/ingest_date=2026-11-24/';
    const left = '.0b0e1a52-7c3a-4a4e-9f4e-2f1f5a3f0c11.tmp';
    const part = '.part-01234567-89abcdef-00000.parquet.partial';
    for (const prefix of [`${day}source=a/`, other]) {
      await store.put(`${prefix}a.csv`, '1');
      for (const name of [left, part]) await writeFile(join(folder, prefix, name), 'half');
    }
    const asked: string[] = [];
    await store.deleteUnfinished(day, (kind, key) => {
      asked.push(`${kind} ${key}`);
      return kind === 'temporary';
    });
    assert.deepEqual(asked.toSorted(), [
      `partial ${day}source=a/part-01234567-89abcdef-00000.parquet`,
      `temporary ${day}source=a/${left}`,
    ]);
    assert.deepEqual((await readdir(join(folder, day, 'source=a'))).toSorted(), [part, 'a.csv']);
    assert.deepEqual((await readdir(join(folder, other))).toSorted(), [left, part, 'a.csv']);
  });
});
