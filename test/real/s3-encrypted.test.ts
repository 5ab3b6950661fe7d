import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { startLab, type Lab } from '../helpers/lab.ts';
import { bucketContents } from '../helpers/s3-lab.ts';
import { startS3Proxy, type Rule, type S3Proxy, type SeenS3Request } from '../helpers/s3-proxy.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';

const KEY = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const ENCRYPTION = 'x-amz-server-side-encryption';
/** The file is larger than 16 MiB, so its landing has two parts. */
const RECORDS = 900_000;
const BODY = `id,text\r\n${Array.from({ length: RECORDS }, (_, n) => `${n},text of ${n}\r\n`).join('')}`;

let s3: TestS3;
let proxy: S3Proxy;
let lab: Lab & { close(): Promise<void> };
let refused: Rule[];

before(async () => {
  s3 = await startS3();
  proxy = await startS3Proxy(s3.endpoint);
  const env = { ...s3.env, AWS_ENDPOINT_URL_S3: proxy.endpoint, LAKE: `s3://${s3.bucket}` };
  lab = await startLab({ env });
  lab.origin.set('/a.csv', { body: BODY, etag: '"1"' });
  const sources = { a: lab.origin.address('/a.csv') };
  await lab.datasets({ denied: sources, duckdb: sources, spark: sources });
  const answer = { status: 403, code: 'AccessDenied', message: 'with an explicit deny' };
  refused = [
    proxy.on(
      {
        operation: ['PutObject', 'CreateMultipartUpload', 'CopyObject'],
        where: ({ headers }) =>
          headers[ENCRYPTION] !== 'aws:kms' || headers[`${ENCRYPTION}-aws-kms-key-id`] !== KEY,
      },
      { answer },
    ),
    // AWS refuses the header on these requests: "not supported for this operation".
    proxy.on(
      {
        operation: ['UploadPart', 'UploadPartCopy', 'CompleteMultipartUpload'],
        where: ({ headers }) => headers[ENCRYPTION] !== undefined,
      },
      { answer: { status: 400, code: 'InvalidArgument' } },
    ),
  ];
});
afterEach(async () => {
  await lab.run(['down']);
});
after(async () => {
  await lab.close();
  await proxy.close();
  await s3.close();
});

describe('a bucket that refuses what is not encrypted with its KMS key', () => {
  it('has nothing written into it without S3_KMS_KEY_ID, and the error names what was denied', async () => {
    const { code, json, stdout } = await lab.json<{ error: { code: string } }>([
      'ingest',
      'denied',
    ]);
    assert.notEqual(code, 0);
    assert.equal(json.error?.code, 'STORE_FORBIDDEN', stdout);
    assert.deepEqual(await bucketContents(s3), { keys: [], uploads: [] });
    assert.deepEqual(await zonesOfDoctor({}), ['problem', 'problem']);
  });

  for (const engine of ['duckdb', 'spark']) {
    it(`takes every object of a run with it, by ${engine}; doctor finds nothing wrong`, async () => {
      const before = refused.map(({ hits }) => hits);
      const env = { S3_KMS_KEY_ID: KEY, ENGINE: engine };
      const { code, stdout, stderr } = await lab.run(['ingest', engine], { env });
      assert.equal(code, 0, stdout + stderr);
      assert.deepEqual(await zonesOfDoctor(env), ['ok', 'ok']);
      assert.equal((await lab.run(['verify', engine], { env })).code, 0);
      assert.deepEqual(
        refused.map(({ hits }) => hits),
        before,
      );
      const written = proxy.requests.filter(isWritten).map(({ key }) => key);
      assert.ok(
        written.some((key) => key.endsWith('.parquet')),
        written.join(' '),
      );
    });
  }
});

async function zonesOfDoctor(env: Record<string, string>): Promise<string[]> {
  const { json } = await lab.json<{ checks: { id: string; status: string }[] }>(['doctor'], {
    env,
  });
  const isOfZone = ({ id }: { id: string }): boolean => id === 's3-raw' || id === 's3-converted';
  return json.checks.filter(isOfZone).map(({ status }) => status);
}

function isWritten({ operation, headers }: SeenS3Request): boolean {
  return operation !== 'UploadPart' && headers[ENCRYPTION] === 'aws:kms';
}
