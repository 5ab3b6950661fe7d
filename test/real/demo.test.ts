import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { withTempFolder } from '../helpers/temp-folder.ts';

const DEMO = resolve(import.meta.dirname, '../../tools/demo/main.js');

test('the demo leaves the lake of the real datasets alone', async () => {
  await withTempFolder(async (cwd) => {
    const { LAKE: _, ...env } = process.env;
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, [DEMO, '--size', '200kB'], {
      cwd,
      env,
    });
    assert.match(stdout, /npx longhaul up --lake data-demo/);
    assert.deepEqual(await readdir(cwd), ['data-demo']);
  });
});
