import { after, before } from 'node:test';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { testCommitCrashes } from '../iceberg/crash-contract.ts';

let s3: TestS3;
let lakes = 0;

before(async () => {
  s3 = await startS3();
  // If a file is cast, another process opens the bucket.
  Object.assign(process.env, s3.env);
});
after(async () => await s3.close());

testCommitCrashes({ name: 'in S3', writes: 13 }, async (body) => {
  lakes += 1;
  return await body(new S3Store(s3.settings, `${lakes}/`, s3.client));
});
