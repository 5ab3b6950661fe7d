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
