import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  makeClusterFolder,
  removeAbandonedClusters,
} from '../../../tools/local-aws/emr/cluster-folders.ts';
import { holdLifeline } from '../../../src/embedded/lifeline.ts';
import { withTempFolder } from '../../helpers/temp-folder.ts';

describe('folders of clusters', () => {
  it('go with a server that was killed, and nothing else does', async () => {
    await withTempFolder(async (folder) => {
      await makeClusterFolder(folder, 'j-ALIVE');
      const dead = join(folder, 'j-DEAD');
      await mkdir(join(dead, 'hdfs'), { recursive: true });
      await (await holdLifeline(join(dead, 'owner.alive'))).close();
      await mkdir(join(folder, 'j-UNKNOWN'));
      await mkdir(join(folder, 'mine'));
      await (await holdLifeline(join(folder, 'mine', 'owner.alive'))).close();
      await removeAbandonedClusters(folder);
      assert.deepEqual((await readdir(folder)).toSorted(), ['j-ALIVE', 'j-UNKNOWN', 'mine']);
    });
  });
});
