import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  makeOwnedFolder,
  removeAbandonedFolders,
} from '../../../../tools/local-aws/emr/owned-folders.ts';
import { withTempFolder } from '../../../helpers/temp-folder.ts';

describe('folders of clusters and HDFSs', () => {
  it('go with a server that was killed, and nothing else does', async () => {
    await withTempFolder(async (folder) => {
      await makeOwnedFolder(folder, 'j-ALIVE');
      for (const dead of ['j-DEAD', 'hdfs-4711-1']) {
        await mkdir(join(folder, dead, 'data'), { recursive: true });
        await writeFile(join(folder, dead, 'owner.lock'), '');
      }
      await mkdir(join(folder, 'j-UNKNOWN'));
      await mkdir(join(folder, 'mine'));
      await writeFile(join(folder, 'mine', 'owner.lock'), '');
      await removeAbandonedFolders(folder);
      assert.deepEqual((await readdir(folder)).toSorted(), ['j-ALIVE', 'j-UNKNOWN', 'mine']);
    });
  });
});
