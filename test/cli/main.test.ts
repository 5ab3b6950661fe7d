import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const cwd = mkdtempSync(join(tmpdir(), 'longhaul-main-'));
after(() => {
  rmSync(cwd, { recursive: true });
});

async function longhaul(
  ...argv: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  return await new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...argv], { cwd }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

void test('an error of usage is one JSON object on standard output and nothing else', async () => {
  const { code, stdout, stderr } = await longhaul('ingest', '--json');
  assert.equal(code, 2);
  assert.equal(stderr, '');
  assert.equal(stdout.trim().split('\n').length, 1);
  assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'USAGE');
});

void test('a query runs in a folder without any settings, with no warning of any library', async () => {
  const { code, stdout, stderr } = await longhaul('query', 'SELECT 42 AS n', '--json');
  assert.deepEqual([code, JSON.parse(stdout), stderr], [0, [{ n: 42 }], '']);
});

void test('--help and --version end well', async () => {
  const help = await longhaul('--help');
  assert.equal(help.code, 0);
  assert.match(help.stdout, /Exit codes: 0 done, 1 internal, 2 usage/);
  const { code, stdout } = await longhaul('--version');
  assert.equal(code, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

void test('a reader that has enough does not make it an error', async () => {
  const sql = 'SELECT range AS n FROM range(3000000)';
  const child = spawn(process.execPath, [MAIN, 'query', sql, '--format', 'csv'], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 0);
  assert.equal(stderr, '');
});
