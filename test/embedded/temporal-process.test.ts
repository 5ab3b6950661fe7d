import assert from 'node:assert/strict';
import { chmod, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findTemporal, lastPorts, launchTemporal } from '../../src/embedded/temporal-process.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

const PORTS = { port: 17_000, uiPort: 17_001 };

test('a started process is found again by its state folder alone, until it is stopped', async () => {
  await withTempFolder(async (folder) => {
    assert.equal(await findTemporal(folder), undefined);
    const started = await launchTemporal(folder, await standIn(folder), PORTS, 'one');
    try {
      await until(async () => (await readdir(folder)).includes('temporal.one.pid'));
      const found = await findTemporal(folder);
      assert.equal(found?.pid, started.pid);
      assert.deepEqual({ port: found?.port, uiPort: found?.uiPort }, PORTS);
    } finally {
      await started.stop();
    }
    assert.equal(started.isAlive(), false);
    assert.equal(await findTemporal(folder), undefined);
    assert.deepEqual(await lastPorts(folder).then((last) => last?.port), PORTS.port);
  });
});

test('a start that was found not to have happened cannot happen later', async () => {
  await withTempFolder(async (folder) => {
    await writeFile(join(folder, 'temporal.json'), JSON.stringify({ startId: 'late', ...PORTS }));
    assert.equal(await findTemporal(folder), undefined);
    const late = await launchTemporal(folder, await standIn(folder), PORTS, 'late');
    await until(() => !late.isAlive());
    assert.equal(await findTemporal(folder), undefined);
  });
});

test('a later process that was given the pid of the dead one is not taken for it', async () => {
  await withTempFolder(async (folder) => {
    await writeFile(join(folder, 'temporal.json'), JSON.stringify({ startId: 'gone', ...PORTS }));
    await writeFile(join(folder, 'temporal.gone.pid'), String(process.pid));
    assert.equal(await findTemporal(folder), undefined);
  });
});

/** A program that stays, with its arguments in its command line as Temporal has them. */
async function standIn(folder: string): Promise<string> {
  const path = join(folder, 'stand-in');
  await writeFile(path, '#!/bin/sh\nwhile :; do sleep 0.05; done\n');
  await chmod(path, 0o755);
  return path;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10);
}
