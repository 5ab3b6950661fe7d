import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { s3Settings } from '../helpers/s3.ts';
import { startS3Server, type S3Server } from '../../tools/local-aws/s3-server.ts';
import { locateVersitygw } from '../../tools/local-aws/versitygw.ts';
import { createS3Client } from '../../src/storage/s3/client.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

test('what is stored is there again after a restart with other keys, on the same port', async () => {
  await withTempFolder(async (folder) => {
    const program = await versitygw();
    const first = await startS3Server({ folder, program });
    await first.createBucket(SETTINGS.bucket);
    await first.createBucket(SETTINGS.bucket);
    await storeOf(first).put('a', 'x');
    await first.stop();
    const port = Number(new URL(first.endpoint).port);
    const second = await startS3Server({ folder, program, port });
    try {
      assert.equal(second.endpoint, first.endpoint);
      assert.notEqual(second.secretAccessKey, first.secretAccessKey);
      assert.equal((await storeOf(second).get('a'))?.toString(), 'x');
      await assert.rejects(storeOf(first).get('a'), { code: 'STORE_CREDENTIALS' });
    } finally {
      await second.stop();
    }
  });
});

test('a port that another has is an error that names the log', async () => {
  await withTempFolder(async (folder) => {
    const program = await versitygw();
    const first = await startS3Server({ folder: join(folder, 'a'), program });
    try {
      const port = Number(new URL(first.endpoint).port);
      await assert.rejects(startS3Server({ folder: join(folder, 'b'), program, port }), {
        code: 'EMBEDDED_FAILED',
        message: `The S3 server did not start on port ${port}.`,
      });
    } finally {
      await first.stop();
    }
  });
});

test('it ends with the process that started it, even with one that is killed', async () => {
  await withTempFolder(async (folder) => {
    const code = `
      import { startS3Server } from ${JSON.stringify(import.meta.resolve('../../tools/local-aws/s3-server.js'))};
      const [folder, program] = process.argv.slice(-2);
      console.log((await startS3Server({ folder, program })).endpoint);
    `;
    const args = ['--input-type=module', '--eval', code];
    const parent = spawn(process.execPath, [...args, folder, await versitygw()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [endpoint] = (await once(createInterface(parent.stdout), 'line')) as [string];
    assert.ok(await answers(endpoint));
    parent.kill('SIGKILL');
    while (await answers(endpoint)) await sleep(20);
  });
});

async function answers(endpoint: string): Promise<boolean> {
  const answer = await fetch(endpoint).catch(() => undefined);
  await answer?.body?.cancel();
  return answer !== undefined;
}

async function versitygw(): Promise<string> {
  const { VERSITYGW: given, PATH: searchPath } = process.env;
  return await locateVersitygw({ given, searchPath });
}

function storeOf({ endpoint, region, ...credentials }: S3Server): S3Store {
  const client = createS3Client(SETTINGS, { endpoint, region, credentials });
  return new S3Store(SETTINGS, '', client);
}

const SETTINGS = s3Settings({ bucket: 'restarted' });
