import { after, before } from 'node:test';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { S3Zone } from '../../src/storage/s3/zone.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { testStore } from '../storage/store-contract.ts';

let s3: TestS3;
let zones = 0;

before(async () => {
  s3 = await startS3();
  Object.assign(process.env, s3.env);
});
after(async () => await s3.close());

testStore('S3', async (body) => {
  zones += 1;
  await body(new S3Store(new S3Zone(s3.settings, `zone-${zones}/`)));
});
