import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild, type ChildOptions } from '../../src/programs/child.js';
import { withTempFolder } from '../helpers/temp-folder.ts';

describe('a child', () => {
  it('gets its arguments as they are, its environment and nothing else, and reports its end', async () => {
    await withTempFolder(async (folder) => {
      const args = [
        '-c',
        'printf "%s|" "$@"; env; echo no >&2; exit 7',
        'x',
        '$HOME `id`',
        '"',
        "'; ls",
      ];
      const child = await startChild(['/bin/sh', ...args], optionsIn(folder, { ONLY: 'this' }));
      assert.deepEqual(await child.ended, { code: 7, signal: null });
      const stdout = await readFile(join(folder, 'stdout'), 'utf8');
      assert.ok(stdout.startsWith(`$HOME \`id\`|"|'; ls|`));
      assert.match(stdout, /^(?:.*\|)?ONLY=this$/m);
      assert.doesNotMatch(stdout, /^(?:HOME|USER|AWS_)/m);
      assert.equal(await readFile(join(folder, 'stderr'), 'utf8'), 'no\n');
    });
  });

  it('that is not there ends with 126 or 127', async () => {
    await withTempFolder(async (folder) => {
      const child = await startChild([join(folder, 'none')], optionsIn(folder));
      assert.ok([126, 127].includes((await child.ended).code ?? 0));
    });
  });

  it('is stopped with all that it started, though it does not listen', async () => {
    await withTempFolder(async (folder) => {
      const script = 'trap "" TERM; sleep 600 & echo started; wait; sleep 600';
      const child = await startChild(['/bin/sh', '-c', script], optionsIn(folder));
      while ((await readFile(join(folder, 'stdout'), 'utf8')) === '') await sleep(5);
      await child.stop(50);
      await untilGroupIsGone(child.pid);
    });
  });

  it('ends with the process that started it, killed as that may be', async () => {
    await withTempFolder(async (folder) => {
      const words = ['/bin/sh', '-c', 'sleep 600 & sleep 600'];
      const given = [words, optionsIn(folder)].map((each) => JSON.stringify(each)).join();
      const module = resolve(import.meta.dirname, '../../src/programs/child.js');
      const entry = join(folder, 'parent.mjs');
      const start = `const { startChild } = await import(${JSON.stringify(module)});`;
      const print = `console.log((await startChild(${given})).pid); setInterval(() => {}, 1000);`;
      await writeFile(entry, `${start}\n${print}\n`);
      const parent = spawn(process.execPath, [entry], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [printed] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(printed.toString());
      assert.ok(groupOf(pid).length > 1);
      parent.kill('SIGKILL');
      await untilGroupIsGone(pid);
    });
  });
});

function optionsIn(folder: string, env: Record<string, string> = {}): ChildOptions {
  const [stdout, stderr] = [join(folder, 'stdout'), join(folder, 'stderr')];
  return { folder, env: { PATH: '/usr/bin:/bin', ...env }, stdout, stderr };
}

/** Waits for the end of the group. A group that does not end makes the test time out. */
async function untilGroupIsGone(pid: number): Promise<void> {
  while (groupOf(pid).length > 0) await sleep(10);
}

/** Zombies do not count, because they hold no resources. */
function groupOf(pid: number): string[] {
  const listed = execFileSync('ps', ['-A', '-o', 'pgid=,stat='], { encoding: 'utf8' });
  return listed.split('\n').filter((line) => new RegExp(`^\\s*${pid}\\s+[^Z]`).test(line));
}
