import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createS3Client } from '../../src/storage/s3/client.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { bucketContents } from '../helpers/s3-lab.ts';
import { startS3Proxy } from '../helpers/s3-proxy.ts';
import { sharedS3 } from '../helpers/s3.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { testCommitCrashes } from '../iceberg/crash-contract.ts';
import { testStore } from '../storage/store-contract.ts';

const shared = sharedS3();
let zones = 0;

testStore('S3', async (body) => {
  zones += 1;
  await body(new S3Store(shared.s3.settings, `zone-${zones}/`));
});

testCommitCrashes({ name: 'in S3', writes: 13 }, async (body) => {
  zones += 1;
  return await body(new S3Store(shared.s3.settings, `zone-${zones}/`, shared.s3.client));
});

test('a part of a file that S3 finds damaged is an error that a retry helps, and nothing is left of it', async () => {
  await withProxy('damaged/', async (store, proxy) => {
    proxy.on({ operation: 'UploadPart' }, { answer: { status: 400, code: 'BadDigest' } });
    await withTempFolder(async (folder) => {
      const path = join(folder, 'file');
      await writeFile(path, 'body');
      await assert.rejects(store.putFile('file', path), { code: 'STORE_UNAVAILABLE' });
    });
    const { keys, uploads } = await bucketContents(shared.s3);
    assert.deepEqual(
      [...keys, ...uploads].filter((key) => key.startsWith('damaged/')),
      [],
    );
  });
});

test('a key that another host deletes at the same moment is deleted, although this S3 answers 404', async () => {
  await withProxy('gone/', async (store, proxy) => {
    proxy.on({ operation: 'DeleteObject' }, { answer: { status: 404, code: 'NoSuchKey' } });
    await store.delete('key');
  });
});

/** Gives `body` a store behind a proxy that can answer in place of S3. */
async function withProxy(
  prefix: string,
  body: (store: S3Store, proxy: Awaited<ReturnType<typeof startS3Proxy>>) => Promise<void>,
): Promise<void> {
  const proxy = await startS3Proxy(shared.s3.endpoint);
  const client = createS3Client(shared.s3.settings, { endpoint: proxy.endpoint });
  try {
    await body(new S3Store(shared.s3.settings, prefix, client), proxy);
  } finally {
    client.destroy();
    await proxy.close();
  }
}
