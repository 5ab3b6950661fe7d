import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { sharedS3 } from '../helpers/s3.ts';
import { testCommitCrashes } from '../iceberg/crash-contract.ts';

const shared = sharedS3();
let lakes = 0;

testCommitCrashes({ name: 'in S3', writes: 13 }, async (body) => {
  lakes += 1;
  return await body(new S3Store(shared.s3.settings, `${lakes}/`, shared.s3.client));
});
