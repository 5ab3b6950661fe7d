import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'dotenv';
import { workplace, type Workplace } from './fake-context.ts';

function read(place: Workplace, name: string): string {
  return readFileSync(join(place.cwd, name), 'utf8');
}

void test('init makes an empty folder ready: every file loads, and sets nothing', async () => {
  const place = workplace();
  const { exitCode, stdout, stderr } = await place.run('init');
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /Wrote datasets\.yaml\nWrote \.env\n\nNext: longhaul add <address>\n$/);
  assert.deepEqual(readdirSync(place.cwd).toSorted(), ['.env', 'datasets.yaml']);
  assert.deepEqual(parse(read(place, '.env')), {});
  const { datasets } = JSON.parse((await place.run('datasets', '--json')).stdout);
  assert.deepEqual(datasets, []);
});

void test('init keeps the lake and secrets out of a git repository, and adds what is missing only', async () => {
  const place = workplace({ '.gitignore': 'node_modules/\ndata/' });
  mkdirSync(join(place.cwd, '.git'));
  assert.equal((await place.run('init')).exitCode, 0);
  assert.equal(read(place, '.gitignore'), 'node_modules/\ndata/\n.longhaul/\n.env\n');
  const again = JSON.parse((await place.run('init', '--json')).stdout);
  assert.deepEqual([again.written, again.kept.length], [[], 3]);
});

void test('init overwrites nothing', async () => {
  const files = { 'datasets.yaml': 'datasets: {} # mine\n', '.env': 'LOG_LEVEL=warn\n' };
  const place = workplace(files);
  const { stdout } = await place.run('init');
  assert.match(stdout, /^Left datasets\.yaml as it is\nLeft \.env as it is\n/);
  for (const [name, text] of Object.entries(files)) assert.equal(read(place, name), text);
});
