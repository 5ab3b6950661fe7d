import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { DoctorReport } from '../../src/cli/commands/doctor.ts';
import { tryLanding } from '../../src/landing/s3-check.ts';
import { createS3Client } from '../../src/storage/s3/client.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { Workplace } from '../cli/fake-context.ts';
import { bucketContents } from '../helpers/s3-lab.ts';
import type { S3Operation } from '../helpers/s3-operation.ts';
import { startS3Proxy, type S3Proxy, type SeenS3Request } from '../helpers/s3-proxy.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { TestTemporal } from '../helpers/temporal.ts';

const AWS_KEYS = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_REGION',
  'AWS_ENDPOINT_URL_S3',
  'AWS_PROFILE',
  'AWS_EC2_METADATA_DISABLED',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_CONFIG_FILE',
];
const SETTINGS = 'S3_PATH_STYLE=true\nS3_STALL_TIMEOUT_SECONDS=2\n';

const temporal = new TestTemporal();

let s3: TestS3;
let proxy: S3Proxy;

before(async () => {
  s3 = await startS3();
  proxy = await startS3Proxy(s3.endpoint);
});
afterEach(() => {
  proxy.clear();
});
after(async () => {
  for (const key of AWS_KEYS) delete process.env[key];
  await proxy.close();
  await s3.close();
});

interface Look extends DoctorReport {
  exitCode: number;
  stdout: string;
  /** Status, finding and fix of a check in one line. */
  say(id: string): string;
}

/** Runs doctor on the gateway behind the proxy. */
async function look(
  env: Record<string, string | undefined> = {},
  settings = `LAKE=s3://${s3.bucket}\n${SETTINGS}`,
): Promise<Look> {
  const through = { ...s3.env, AWS_ENDPOINT_URL_S3: proxy.endpoint, ...env };
  for (const key of AWS_KEYS) delete process.env[key];
  for (const [key, value] of Object.entries(through)) {
    if (value !== undefined) process.env[key] = value;
  }
  const place = new Workplace({ '.env': settings });
  try {
    const { exitCode, stdout } = await place.run('doctor', '--json');
    const report = JSON.parse(stdout) as DoctorReport;
    const say = (id: string): string => {
      const check = report.checks.find((each) => each.id === id);
      return check ? `${check.status}: ${check.found} → ${check.fix ?? ''}` : 'absent';
    };
    return { ...report, exitCode, stdout, say };
  } finally {
    place.remove();
  }
}

async function assertNothingLeft(): Promise<void> {
  assert.deepEqual(await bucketContents(s3), { keys: [], uploads: [] });
}

function problems({ checks }: Look): string[] {
  return checks
    .filter(({ id, status }) => id !== 'disk' && status === 'problem')
    .map(({ id }) => id);
}

test('a store that has all is ok in every respect, what it cannot say aside, and nothing is left', async () => {
  const seen = await look();
  assert.deepEqual(problems(seen), []);
  assert.match(seen.say('s3-credentials'), /^ok: access key ….{4}; region us-east-1/);
  assert.match(seen.say('s3-bucket'), /^ok: longhaul-test/);
  for (const id of ['s3-raw', 's3-converted', 'clock']) {
    assert.match(seen.say(id), /^ok: /, id);
  }
  assert.match(seen.say('s3-raw'), /s3:\/\/longhaul-test\/takehome-raw\/.*CRC-32/);
  assert.match(seen.say('s3-lifecycle'), /^unknown: .*NotImplemented/);
  await assertNothingLeft();
});

test('neither the secret nor the whole access key is shown', async () => {
  const { stdout } = await look({
    AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'not-to-be-seen',
  });
  assert.doesNotMatch(stdout, /not-to-be-seen/);
  assert.match(JSON.stringify((JSON.parse(stdout) as DoctorReport).checks[4]), /…MPLE/);
});

for (const [name, env, check, expected] of [
  ['a wrong secret', { AWS_SECRET_ACCESS_KEY: 'wrong' }, 's3-bucket', /credentials.*aws sso login/],
  ['an unknown key', { AWS_ACCESS_KEY_ID: 'nobody' }, 's3-bucket', /credentials.*aws sso login/],
  [
    'another region',
    { AWS_REGION: 'eu-west-1' },
    's3-bucket',
    /is in .*us-east-1.*→ Set AWS_REGION=us-east-1,/,
  ],
  [
    'no server at the endpoint',
    { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' },
    's3-bucket',
    /AWS_ENDPOINT_URL_S3/,
  ],
  [
    'no region',
    { AWS_REGION: undefined, AWS_CONFIG_FILE: '/nonexistent' },
    's3-credentials',
    /no region is set → Set AWS_REGION/,
  ],
  [
    'no credentials',
    {
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
      AWS_CONFIG_FILE: '/nonexistent',
    },
    's3-credentials',
    /Could not load credentials.*aws sso login/,
  ],
] as const) {
  test(`${name}: named once, with the fix, and what needs it is left out`, async () => {
    const seen = await look(env);
    assert.equal(seen.exitCode, 2);
    assert.deepEqual(problems(seen), [check]);
    assert.match(seen.say(check), expected);
    assert.match(seen.say('s3-raw'), /^unknown: not checked/);
    await assertNothingLeft();
  });
}

test('a bucket that is not there is named', async () => {
  const seen = await look({}, `LAKE=s3://no-such-bucket\n${SETTINGS}`);
  assert.deepEqual(problems(seen), ['s3-bucket']);
  assert.match(seen.say('s3-bucket'), /There is no bucket no-such-bucket.*→ Create it/);
});

/** Denied operations, the permission that doctor must name, and whether the denial keeps doctor from cleaning up. */
const DENIALS: [S3Operation[], string, boolean][] = [
  [['PutObject', 'CreateMultipartUpload', 'UploadPart', 'UploadPartCopy'], 's3:PutObject', false],
  [['GetObject', 'HeadObject'], 's3:GetObject', false],
  [['ListObjectsV2'], 's3:ListBucket', false],
  [['ListMultipartUploads'], 's3:ListBucketMultipartUploads', false],
  [['ListParts'], 's3:ListMultipartUploadParts', false],
  [['UploadPartCopy'], 's3:GetObject', false],
  [['AbortMultipartUpload'], 's3:AbortMultipartUpload', true],
  [['DeleteObject'], 's3:DeleteObject', true],
];

for (const [operations, permission, isLeft] of DENIALS) {
  test(`${permission} of ${operations.join()} denied: it is named, and what the check leaves is named and swept`, async () => {
    proxy.on({ operation: operations }, { answer: { status: 403, code: 'AccessDenied' } });
    const seen = await look();
    assert.equal(seen.exitCode, 2);
    for (const id of ['s3-raw', 's3-converted']) {
      assert.match(seen.say(id), new RegExp(`^problem: S3 denies ${permission} on s3://`));
      assert.match(seen.say(id), /→ Grant the permission .*docs\/aws\.md#the-least-policy/);
      assert.equal(/What is left .* `longhaul sweep` removes/.test(seen.say(id)), isLeft);
    }
    const { keys, uploads } = await bucketContents(s3);
    assert.equal(keys.length + uploads.length > 0, isLeft);
    assert.ok([...keys, ...uploads].every((key) => key.includes('/_staging/doctor-')));
    await emptyBucket();
  });
}

test('a store that overwrites an object in spite of If-None-Match is a problem', async () => {
  const second = { operation: 'PutObject', key: 'file.csv.manifest.json', nth: 2 } as const;
  proxy.on(second, { answer: { status: 200 } });
  const seen = await look();
  assert.deepEqual(problems(seen), ['s3-raw']);
  assert.match(seen.say('s3-raw'), /overwrites in spite of If-None-Match.* → Use AWS S3/);
  await assertNothingLeft();
});

test('a store that overwrites an object by completing an upload is a problem', async () => {
  const free = async ({ bucket: Bucket, key: Key }: SeenS3Request): Promise<void> =>
    void (await s3.client.send(new DeleteObjectCommand({ Bucket, Key })));
  proxy.on({ operation: 'CompleteMultipartUpload', nth: 2 }, { before: free });
  const seen = await look();
  assert.deepEqual(problems(seen), ['s3-raw']);
  assert.match(seen.say('s3-raw'), /overwrites in spite of If-None-Match/);
  await assertNothingLeft();
});

test('of a store that refuses checksums the setting for it is named', async () => {
  const answer = { status: 501, code: 'NotImplemented' };
  proxy.on({ operation: 'UploadPart' }, { answer });
  const seen = await look();
  assert.deepEqual(problems(seen), ['s3-raw', 's3-converted']);
  assert.match(seen.say('s3-raw'), /NotImplemented.*→ .*S3_CHECKSUMS=false/);
  await assertNothingLeft();
});

test('a store that takes checksums and computes none is a problem', async () => {
  const answer = { status: 200, headers: { etag: '"0"', 'content-length': '64' } };
  // The first HEAD belongs to the landing, for which the ETag is enough.
  proxy.on({ operation: 'HeadObject', nth: 2 }, { answer });
  const seen = await look();
  assert.deepEqual(problems(seen), ['s3-raw']);
  assert.match(seen.say('s3-raw'), /does not compute the CRC-32 .*→ Set S3_CHECKSUMS=false/);
  await assertNothingLeft();
});

test('with S3_CHECKSUMS=false nothing asks for one', async () => {
  const before = proxy.requests.length;
  const seen = await look({}, `LAKE=s3://${s3.bucket}\nS3_CHECKSUMS=false\n${SETTINGS}`);
  assert.deepEqual(problems(seen), []);
  assert.match(seen.say('s3-raw'), /^ok: .*S3_CHECKSUMS=false/);
  const asked = proxy.requests
    .slice(before)
    .flatMap(({ headers }) => Object.keys(headers))
    .filter((name) => name.startsWith('x-amz-checksum'));
  assert.deepEqual(asked, []);
  await assertNothingLeft();
});

for (const operation of [
  'PutObject',
  'CreateMultipartUpload',
  'CompleteMultipartUpload',
] as const) {
  test(`an answer to ${operation} that never arrives leaves nothing behind`, async () => {
    proxy.on({ operation }, { loseAnswer: true });
    const seen = await look();
    assert.match(seen.say('s3-converted'), /^problem: /);
    await assertNothingLeft();
  });
}

test('a store that hangs is given up, and is a problem', async () => {
  proxy.on({ operation: 'ListObjectsV2' }, { stallAfterRequestBytes: 0 });
  const seen = await look();
  assert.deepEqual(problems(seen), ['s3-bucket']);
  await assertNothingLeft();
});

test('Ctrl-C in the middle of a probe leaves nothing behind', async () => {
  for (const key of AWS_KEYS) delete process.env[key];
  Object.assign(process.env, s3.env, { AWS_ENDPOINT_URL_S3: proxy.endpoint });
  const cancel = new AbortController();
  const cancelled = new Error('cancelled');
  proxy.on({ operation: 'UploadPart' }, { before: () => cancel.abort(cancelled) });
  const open = (signal: AbortSignal): S3Store =>
    new S3Store(s3.settings, 'raw/', createS3Client(s3.settings), signal);
  await assert.rejects(tryLanding(open, cancel.signal), cancelled);
  await assertNothingLeft();
});

test('a clock that is off is a problem of its own, also where it makes every other check fail', async () => {
  const date = new Date(Date.now() + 20 * 60_000).toUTCString();
  const answer = { status: 403, code: 'RequestTimeTooSkewed', headers: { date } };
  proxy.on({}, { answer });
  const seen = await look();
  assert.deepEqual(problems(seen), ['s3-bucket', 'clock']);
  assert.match(seen.say('clock'), /(?:19m 5|20m 0)\ds behind S3's; .* → Set the clock/);
});

test('a key that may not be used is named as AWS names it', async () => {
  const message =
    'User: arn:aws:iam::111122223333:user/x is not authorized to perform: kms:GenerateDataKey on resource: y';
  proxy.on({ operation: 'PutObject' }, { answer: { status: 403, code: 'AccessDenied', message } });
  const seen = await look();
  assert.match(seen.say('s3-raw'), /^problem: .*not authorized to perform: kms:GenerateDataKey/);
});

test('a Temporal of yours: its version, and a namespace that it does not have', async () => {
  const settings = `TEMPORAL_ADDRESS=${temporal.address}\n`;
  const seen = await look({}, settings);
  assert.match(seen.say('temporal'), /^ok: .* answers, version \d+\.\d+.*, namespace default/);
  const missing = await look({}, `${settings}TEMPORAL_NAMESPACE=nowhere\n`);
  assert.match(
    missing.say('temporal'),
    /namespace nowhere: .*not found\. → .*temporal operator namespace create --namespace nowhere --address /,
  );
});

async function emptyBucket(): Promise<void> {
  proxy.clear();
  await new S3Store(s3.settings, '', s3.client).deletePrefix('');
  await assertNothingLeft();
}
