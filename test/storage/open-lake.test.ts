import assert from 'node:assert/strict';
import { cp, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import { identityOfLake } from '../../src/storage/open-lake.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

async function idOf(cwd: string, LAKE: string): Promise<string> {
  return (await identityOfLake(loadConfig({ env: { LAKE }, cwd }).settings.lake)).id;
}

describe('the id of a lake', () => {
  it('on a disk is the same for all processes that ask at once, and after a move; no other folder has it', async () => {
    await withTempFolder(async (cwd) => {
      const asked = Array.from({ length: 8 }, async () => await idOf(cwd, 'a'));
      const [id = '', ...others] = await Promise.all(asked);
      assert.match(id, /^[\da-f]{12}$/);
      assert.deepEqual(new Set(others), new Set([id]));
      assert.notEqual(await idOf(cwd, 'b'), id);
      await rename(join(cwd, 'a'), join(cwd, 'moved'));
      assert.equal(await idOf(cwd, 'moved'), id);
      await cp(join(cwd, 'moved'), join(cwd, 'copy'), { recursive: true });
      assert.equal(await idOf(cwd, 'copy'), id, 'as docs/configuration.md says');
    });
  });

  it('that is damaged is an error, and is not replaced', async () => {
    await withTempFolder(async (cwd) => {
      await idOf(cwd, 'a');
      const path = join(cwd, 'a', '.longhaul-id');
      await writeFile(path, '../../b\n');
      await assert.rejects(idOf(cwd, 'a'), { code: 'LAKE_CORRUPT' });
      assert.equal(await readFile(path, 'utf8'), '../../b\n');
    });
  });

  it("in a bucket is the prefix's, whichever host asks and however it is written", async () => {
    const id = await idOf('/one', 's3://my-lake/team');
    assert.equal(await idOf('/other', 's3://my-lake/team/'), id);
    const others = await Promise.all(
      ['s3://my-lake', 's3://my-lake/team2'].map((each) => idOf('/', each)),
    );
    assert.equal(new Set([id, ...others]).size, 3);
  });
});
