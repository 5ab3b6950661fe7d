import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync } from 'node:fs';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { takeLock } from '../../src/embedded/state-files.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

describe('a lock', () => {
  it('is held by one process, and by the next one when that was killed', async () => {
    await withTempFolder(async (folder) => {
      const path = join(folder, 'lock');
      const first = await startHolder(path);
      assert.equal(takeLock(path), undefined);
      first.kill('SIGKILL');
      await once(first, 'exit');
      const lock = takeLock(path);
      assert.ok(lock);
      assert.equal(takeLock(path), undefined);
      closeSync(lock);
      assert.ok(takeLock(path));
    });
  });

  it('goes on to a program that inherits it', async () => {
    await withTempFolder(async (folder) => {
      const path = join(folder, 'lock');
      const lock = takeLock(path);
      assert.ok(lock);
      const child = spawn('/bin/sleep', ['600'], { stdio: ['ignore', 'ignore', 'ignore', lock] });
      closeSync(lock);
      assert.equal(takeLock(path), undefined);
      child.kill('SIGKILL');
      await once(child, 'exit');
      assert.ok(takeLock(path));
    });
  });

  it('that cannot be made says why', async () => {
    await withTempFolder(async (folder) => {
      await writeFile(join(folder, 'file'), '');
      assert.throws(() => takeLock(join(folder, 'file', 'lock')), { code: 'LAKE_NOT_WRITABLE' });
    });
  });

  it(
    'is the same one for a machine without flock',
    { skip: !existsSync('/usr/bin/perl') },
    async () => {
      await withTempFolder(async (folder) => {
        const path = join(folder, 'lock');
        const script = `import { takeLock } from ${JSON.stringify(MODULE)}; process.exitCode = takeLock(${JSON.stringify(path)}) === undefined ? 3 : 4;`;
        const withoutFlock = async (): Promise<number | null> => {
          await symlink('/usr/bin/perl', join(folder, 'perl')).catch(() => undefined);
          const args = ['--input-type=module', '--eval', script];
          const child = spawn(process.execPath, args, { env: { PATH: folder }, stdio: 'inherit' });
          return ((await once(child, 'exit')) as [number | null])[0];
        };
        assert.equal(await withoutFlock(), 4);
        assert.ok(takeLock(path));
        assert.equal(await withoutFlock(), 3);
      });
    },
  );
});

const MODULE = new URL('../../src/embedded/state-files.js', import.meta.url).href;

/** Takes the lock, prints whether it did, and keeps it. */
const HOLDER = `
const { takeLock } = await import(${JSON.stringify(MODULE)});
console.log(takeLock(process.argv.at(-1)) === undefined ? 'no' : 'yes');
setInterval(() => undefined, 1000);
`;

async function startHolder(path: string): Promise<ChildProcess> {
  const args = ['--input-type=module', '--eval', HOLDER, path];
  const holder = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  assert.ok(holder.stdout);
  assert.deepEqual(await once(createInterface(holder.stdout), 'line'), ['yes']);
  return holder;
}
