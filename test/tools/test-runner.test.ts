import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';

const RUNNER = resolve(import.meta.dirname, '../../tools/test.js');
const HEAD = `import { test } from 'node:test';\n`;

test('counts passed, failed and skipped, gives the reason of a skip, and fails', async () => {
  const { code, lines } = await runTests({
    '.built/test/a.test.js': `${HEAD}test('good', () => {}); test('bad', () => { throw new Error('no'); });`,
    '.built/test/b.test.js': `${HEAD}test('later', { skip: 'no samples here' }, () => {});`,
  });
  assert.equal(lines.at(-1), '1 passed, 1 failed, 1 skipped');
  assert.ok(lines.includes('skipped: later: no samples here'));
  assert.notEqual(code, 0);
});

test('passes where every test passes, and leaves real parts out of the unit tests', async () => {
  const files = {
    '.built/test/a.test.js': `${HEAD}test('good', () => {});`,
    '.built/test/real/b.test.js': `${HEAD}test('real', () => {});`,
  };
  const unit = await runTests(files, 'unit');
  assert.deepEqual([unit.code, unit.lines.at(-1)], [0, '1 passed, 0 failed']);
  const all = await runTests(files, 'all');
  assert.deepEqual([all.code, all.lines.at(-1)], [0, '2 passed, 0 failed']);
});

test('fails where nothing ran: no file fits, a file holds no test, a file breaks', async () => {
  const none = await runTests({ '.built/test/a.js': '' });
  assert.deepEqual([none.code, none.lines.at(-1)], [1, '0 passed, 0 failed']);
  const empty = await runTests({ '.built/test/a.test.js': 'export {};' });
  assert.notEqual(empty.code, 0);
  const broken = await runTests({ '.built/test/a.test.js': `import './nowhere.js';` });
  assert.deepEqual([broken.code, broken.lines.at(-1)], [1, '0 passed, 1 failed']);
});

async function runTests(
  files: Record<string, string>,
  scope = 'all',
): Promise<{ code: number | null; lines: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-runner-'));
  try {
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    for (const [file, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), text);
    }
    return await run(folder, scope);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(cwd: string, scope: string): Promise<{ code: number | null; lines: string[] }> {
  // With this variable, the runner would take itself for a test file of the runner that runs this test.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, [RUNNER, scope], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number | null>((done, failed) => {
    child.once('error', failed);
    child.once('close', done);
  });
  return { code, lines: Buffer.concat(chunks).toString().trimEnd().split('\n') };
}
