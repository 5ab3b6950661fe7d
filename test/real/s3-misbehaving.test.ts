import { AbortMultipartUploadCommand, ListPartsCommand } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startLab, type Lab, type Outcome } from '../helpers/lab.ts';
import type { Answer, Route } from '../helpers/origin.ts';
import { bucketContents } from '../helpers/s3-lab.ts';
import { until } from '../helpers/processes.ts';
import { startS3Proxy, type Fault, type Match, type S3Proxy } from '../helpers/s3-proxy.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';

const MIB = 1024 * 1024;
/** The file has more than three parts of 16 MiB, and quoted line breaks. */
const RECORDS = 600_000;
const BODY = Buffer.from(
  `id,text,when\r\n${Array.from(
    { length: RECORDS },
    (_, n) =>
      `${n},"line one of ${n}\nline two, and some more text to make it long",${(n % 12) + 1}/${(n % 28) + 1}/2023`,
  ).join('\r\n')}\r\n`,
);
const PARTS = Math.ceil(BODY.length / (16 * MIB));
const GOOD: Answer = { body: BODY, etag: '"1"' };

interface Run {
  status: string;
  ledger: { rows: number; balanced: boolean };
}

interface Failure {
  error: { code: string; message: string; hint: string };
}

let s3: TestS3;
let proxy: S3Proxy;
let lab: Lab & { close(): Promise<void> };
let datasets = 0;

before(async () => {
  s3 = await startS3();
  proxy = await startS3Proxy(s3.endpoint);
  lab = await startLab({
    env: {
      ...s3.env,
      AWS_ENDPOINT_URL_S3: proxy.endpoint,
      LAKE: `s3://${s3.bucket}`,
      S3_STALL_TIMEOUT_SECONDS: '1',
      SOURCE_RETRY_MINUTES: '2',
    },
  });
});

after(async () => {
  await lab.close();
  await proxy.close();
  await s3.close();
});

/** Ingests a new dataset while S3 or the publisher misbehaves. */
async function ingest(
  faults: [Match, Fault][],
  route: Route = GOOD,
): Promise<Outcome & { json: Run & Failure; name: string }> {
  datasets += 1;
  const name = `things-${datasets}`;
  const path = `/${name}.csv`;
  lab.origin.set(path, route);
  await lab.datasets({ [name]: { a: lab.origin.address(path) } });
  for (const [match, fault] of faults) proxy.on(match, fault);
  try {
    return { ...(await lab.json<Run & Failure>(['ingest', name])), name };
  } finally {
    proxy.clear();
  }
}

async function assertPublished({
  code,
  json,
  name,
  stdout,
  stderr,
}: Awaited<ReturnType<typeof ingest>>) {
  assert.equal(code, 0, stdout + stderr);
  assert.deepEqual(
    [json.status, json.ledger.rows, json.ledger.balanced],
    ['published', RECORDS, true],
  );
  const { keys, uploads } = await bucketContents(s3);
  // Failed runs of other tests leave files for their retries. These files do not count.
  const left = [...uploads, ...keys.filter((key) => /_staging|partial/.test(key))];
  assert.deepEqual(
    left.filter((key) => key.includes('_staging') || key.includes(`/${name}/`)),
    [],
  );
  assert.equal((await lab.run(['verify', name])).code, 0);
}

const passing: Record<string, [Match, Fault][]> = {
  'answers SlowDown for a while': [
    [{ operation: 'UploadPart', first: 4 }, { answer: { status: 503, code: 'SlowDown' } }],
  ],
  'answers 500 and RequestTimeout now and then, whatever is asked': [
    [
      { chance: { probability: 0.2, seed: 11 } },
      { answer: { status: 500, code: 'InternalError' } },
    ],
    [
      { operation: 'UploadPart', chance: { probability: 0.3, seed: 5 } },
      { answer: { status: 400, code: 'RequestTimeout' } },
    ],
  ],
  'resets connections in the middle of parts and answers': [
    [{ operation: 'UploadPart', nth: 2 }, { resetAfterRequestBytes: 3 * MIB }],
    [{ operation: 'UploadPart', nth: 3 }, { resetAfterAnswerBytes: 0 }],
    [{ operation: 'GetObject', key: '.csv', nth: 4 }, { resetAfterAnswerBytes: MIB }],
  ],
  'takes a part and never answers: a half-open connection': [
    [{ operation: 'UploadPart', nth: 2 }, { stallAfterRequestBytes: MIB }],
  ],
  'completes the upload, and its answer is lost': [
    [{ operation: 'CompleteMultipartUpload', nth: 1, key: 'takehome-raw' }, { loseAnswer: true }],
  ],
  'writes the manifest, and its answer is lost': [
    [{ operation: 'PutObject', nth: 1, key: '_manifest.json' }, { loseAnswer: true }],
  ],
};

describe('an S3 that', () => {
  for (const [what, faults] of Object.entries(passing)) {
    it(`${what} costs time, and nothing else`, async () => {
      await assertPublished(await ingest(faults));
    });
  }

  it('loses the upload under the landing (a lifecycle rule, a sweep): it starts again', async () => {
    let aborted = 0;
    const abort: Fault = {
      before: async ({ key, query }) => {
        aborted += 1;
        const UploadId = query.get('uploadId') ?? '';
        const upload = { Bucket: s3.bucket, Key: key, UploadId };
        // If this gateway writes a part while it aborts the upload, a part of the upload comes back.
        await until('the other parts are there', async () => {
          const { Parts = [] } = await s3.client.send(new ListPartsCommand(upload));
          return Parts.length === PARTS - 1;
        });
        await s3.client.send(new AbortMultipartUploadCommand(upload));
      },
    };
    const match: Match = { operation: 'UploadPart', key: 'takehome-raw', nth: 3 };
    await assertPublished(await ingest([[match, abort]]));
    assert.equal(aborted, 1);
  });

  it('denies a permission is named with it at once, and nothing is published', async () => {
    const denied = { answer: { status: 403, code: 'AccessDenied', message: 'Access Denied' } };
    const { json, name, stdout } = await ingest([[{ operation: 'UploadPart' }, denied]]);
    assert.equal(json.error?.code, 'STORE_FORBIDDEN', stdout);
    assert.match(json.error.message, /s3:PutObject/);
    const { keys } = await bucketContents(s3);
    assert.deepEqual(
      keys.filter((key) => key.includes(name) && key.includes('converted')),
      [],
    );
  });

  it('is full stops the run, and once there is room a retry goes on with the parts that are there', async () => {
    const full = { answer: { status: 403, code: 'QuotaExceeded', message: 'Quota exceeded' } };
    const failed = await ingest([
      [{ operation: 'UploadPart', nth: 3 }, full],
      [{ operation: 'CompleteMultipartUpload' }, full],
    ]);
    assert.equal(failed.json.error?.code, 'STORE_FULL', failed.stdout);
    const sent = proxy.requests.length;
    const again = await lab.json<Run & Failure>(['ingest', failed.name]);
    await assertPublished({ ...again, name: failed.name });
    const parts = proxy.requests
      .slice(sent)
      .filter(({ operation, key }) => operation === 'UploadPart' && key.includes('takehome-raw'));
    assert.ok(
      parts.every(({ query }) => query.get('partNumber') !== '1'),
      'part 1 was kept',
    );
  });

  it('says that the credentials have expired ends the run with that code where nothing renews them', async () => {
    const expired = { answer: { status: 400, code: 'ExpiredToken', message: 'It has expired.' } };
    const { json, stdout } = await ingest([[{ operation: 'UploadPart' }, expired]]);
    assert.equal(json.error?.code, 'STORE_CREDENTIALS', stdout);
    assert.ok(!stdout.includes(s3.env['AWS_SECRET_ACCESS_KEY'] ?? '?'));
  });
});

describe('Parquet in S3', () => {
  it('is written where it stays: not seen before it is whole, and never copied', async () => {
    const sent = proxy.requests.length;
    const seen: string[] = [];
    let completed = 0;
    const look: Fault = {
      before: async () => {
        completed += 1;
        const { keys } = await bucketContents(s3);
        seen.push(...keys.filter((key) => key.includes(`things-${datasets}/`) && isParquet(key)));
      },
    };
    const ends: Match['operation'] = ['PutObject', 'CompleteMultipartUpload'];
    // Only the source's Parquet matches. The table of days gets its file after the publication.
    const match: Match = { operation: ends, key: '/source=a/part-' };
    const run = await ingest([[match, look]]);
    await assertPublished(run);
    assert.deepEqual([completed, seen], [1, []]);
    const copies = proxy.requests
      .slice(sent)
      .filter(({ operation }) => operation === 'CopyObject' || operation === 'UploadPartCopy');
    assert.deepEqual(copies, []);
    const { keys } = await bucketContents(s3);
    const parts = keys.filter((key) => key.includes(`${run.name}/`) && isParquet(key));
    assert.match(parts.join(' '), /^[^ ]*\/source=a\/part-[\da-f]{8}-[\da-f]{8}-00000\.parquet$/);
  });
});

function isParquet(key: string): boolean {
  return key.endsWith('.parquet');
}

describe('a publisher, on the way to S3, that', () => {
  it('resets, stalls and then changes the file is read again, and versions are never spliced', async () => {
    const old = Buffer.from(BODY.toString('latin1').replaceAll('line one', 'LINE ONE'), 'latin1');
    const run = await ingest([], (n) => {
      const answers: Answer[] = [
        { body: old, etag: '"0"' },
        { body: old, etag: '"0"', resetAfterBytes: 20 * MIB },
        { body: old, etag: '"0"', stallAfterBytes: 14 * MIB },
      ];
      return answers[n - 1] ?? GOOD;
    });
    await assertPublished(run);
    const { stdout } = await lab.run([
      'query',
      `SELECT count(*) AS n FROM ${run.name.replaceAll('-', '_')} WHERE text LIKE 'LINE%'`,
      '--format',
      'json',
    ]);
    assert.deepEqual(JSON.parse(stdout), [{ n: 0 }]);
  });
});
