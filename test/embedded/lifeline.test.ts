import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { holdLifeline, isHeld, takeHostLock } from '../../src/embedded/lifeline.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

describe('a lifeline', () => {
  it('is held until it is closed, and anyone can see so', async () => {
    await withTempFolder(async (folder) => {
      const path = join(folder, 'alive');
      assert.equal(await isHeld(path), false);
      const held = await holdLifeline(path);
      assert.equal(await isHeld(path), true);
      await held.close();
      assert.equal(await isHeld(path), false);
    });
  });

  it('that cannot be made says why', async () => {
    await withTempFolder(async (folder) => {
      await writeFile(join(folder, 'file'), '');
      await assert.rejects(holdLifeline(join(folder, 'file', 'alive')), {
        code: 'LAKE_NOT_WRITABLE',
      });
    });
  });
});

describe('the host’s lock', () => {
  it('is had by one, and by the next when that one was killed', async () => {
    await withTempFolder(async (folder) => {
      const first = await startHolder(folder);
      assert.equal(await takeHostLock(folder), undefined);
      first.kill('SIGKILL');
      await once(first, 'exit');
      const lock = await takeHostLock(folder);
      assert.ok(lock);
      assert.equal((await readdir(folder)).filter((name) => name.endsWith('.alive')).length, 1);
      await lock.release();
      assert.deepEqual(
        (await readdir(folder)).filter((name) => name.endsWith('.alive')),
        [],
      );
    });
  });

  it('tells its holder when its folder was removed', async () => {
    await withTempFolder(async (folder) => {
      const stateDir = join(folder, 'state');
      await mkdir(stateDir);
      const lock = await takeHostLock(stateDir);
      assert.equal(await lock?.isThere(), true);
      await rm(stateDir, { recursive: true });
      assert.equal(await lock?.isThere(), false);
    });
  });
});

/** Says whether it got the lock, and keeps it. */
const CANDIDATE = `
const { takeHostLock } = await import(${JSON.stringify(new URL('../../src/embedded/lifeline.ts', import.meta.url).href)});
const lock = await takeHostLock(process.argv.at(-1));
console.log(lock ? 'yes' : 'no');
if (lock) setInterval(() => undefined, 1000);
`;

async function startHolder(folder: string): Promise<ChildProcess> {
  const args = ['--import', 'tsx', '--input-type=module', '--eval', CANDIDATE, folder];
  const holder = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  assert.ok(holder.stdout);
  assert.deepEqual(await once(createInterface(holder.stdout), 'line'), ['yes']);
  return holder;
}
