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

it('sweeps what a killed writer left, and nothing else', async () => {
  await withTempFolder(async (folder) => {
    const store = new DiskStore(folder);
    await store.put('day/source=a/a.csv', '1');
    await store.put('other/a.csv', '1');
    const left = '.0b0e1a52-7c3a-4a4e-9f4e-2f1f5a3f0c11.tmp';
    await writeFile(join(folder, 'day', 'source=a', left), 'half');
    await writeFile(join(folder, 'other', left), 'half');
    await store.deleteTemporaries('day/');
    assert.deepEqual(await readdir(join(folder, 'day', 'source=a')), ['a.csv']);
    assert.deepEqual((await readdir(join(folder, 'other'))).toSorted(), [left, 'a.csv']);
  });
});
