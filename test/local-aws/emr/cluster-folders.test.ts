import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  makeClusterFolder,
  removeAbandonedClusters,
} from '../../../tools/local-aws/emr/cluster-folders.ts';
import { withTempFolder } from '../../helpers/temp-folder.ts';

describe('folders of clusters', () => {
  it('go with a server that was killed, and nothing else does', async () => {
    await withTempFolder(async (folder) => {
      await makeClusterFolder(folder, 'j-ALIVE');
      const dead = join(folder, 'j-DEAD');
      await mkdir(join(dead, 'hdfs'), { recursive: true });
      await writeFile(join(dead, 'owner.lock'), '');
      await mkdir(join(folder, 'j-UNKNOWN'));
      await mkdir(join(folder, 'mine'));
      await writeFile(join(folder, 'mine', 'owner.lock'), '');
      await removeAbandonedClusters(folder);
      assert.deepEqual((await readdir(folder)).toSorted(), ['j-ALIVE', 'j-UNKNOWN', 'mine']);
    });
  });
});
