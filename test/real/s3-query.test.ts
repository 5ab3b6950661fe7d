import assert from 'node:assert/strict';
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import type { LonghaulError } from '../../src/model/errors.ts';
import { locateHttpfs } from '../../src/programs/httpfs.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { Workplace } from '../cli/fake-context.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { ATTACKS } from '../lake/attacks.ts';
import { rowsOf, TinyLake, type TinySource } from '../lake/tiny-lake.ts';

/** A made-up token. The gateway needs none, but Longhaul passes this one to DuckDB. */
const TOKEN = 'a-session-token';

let s3: TestS3;
let converted: S3Store;
let httpfsPath: string;
const outside = mkdtempSync(join(tmpdir(), 'longhaul-outside-'));

before(async () => {
  s3 = await startS3();
  Object.assign(process.env, s3.env);
  httpfsPath = await locateHttpfs();
  converted = new S3Store(s3.settings, 'takehome-converted/');
  const source: TinySource = {
    id: 'a',
    columns: [{ name: 'x', type: 'BIGINT' }],
    select: 'SELECT 1::BIGINT AS x',
  };
  await using lake = await TinyLake.create();
  await lake.publish('d', '2026-01-01', [source]);
  await lake.publish('d', '2026-01-02', [
    { ...source, select: 'SELECT unnest([2, 3])::BIGINT AS x' },
  ]);
  const gone = await lake.publish('gone', '2026-01-01', [source]);
  await upload(lake);
  await converted.delete(gone.sources[0]?.parquet[0]?.key ?? '');
  // No manifest names this object. The other object is in another bucket.
  await converted.put('stray.csv', 'secret\n1\n');
  await s3.client.send(new CreateBucketCommand({ Bucket: 'other' }));
  await s3.client.send(new PutObjectCommand({ Bucket: 'other', Key: 'x.csv', Body: 'secret\n1' }));
  writeFileSync(join(outside, 'secret.csv'), 'secret\n1\n');
});
after(async () => {
  rmSync(outside, { recursive: true });
  await s3.close();
});

async function upload(lake: TinyLake): Promise<void> {
  for await (const { key } of lake.store.list('')) {
    await converted.put(key, await buffer(createReadStream(lake.store.uri(key))));
  }
}

async function rows(sql: string): Promise<unknown[]> {
  return await rowsOf(sql, { converted, s3: { settings: s3.settings, httpfsPath } });
}

/** Every object of every bucket, with its content. */
async function fingerprint(): Promise<string[]> {
  const pages = ['other', s3.bucket].map(async (Bucket) => {
    const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket }));
    return Contents.map(({ Key, ETag }) => `${Bucket}/${Key} ${ETag}`);
  });
  return (await Promise.all(pages)).flat();
}

void test('a view and its history are read from S3 as from a disk', async () => {
  assert.deepEqual(await rows('SELECT x, source, ingest_date FROM d ORDER BY x'), [
    { x: 2, source: 'a', ingest_date: '2026-01-02' },
    { x: 3, source: 'a', ingest_date: '2026-01-02' },
  ]);
  assert.deepEqual(
    await rows(
      'SELECT ingest_date::VARCHAR AS day, sum(x)::INT AS s FROM d_history GROUP BY 1 ORDER BY 1',
    ),
    [
      { day: '2026-01-01', s: 1 },
      { day: '2026-01-02', s: 5 },
    ],
  );
  assert.equal((await rows('DESCRIBE d')).length, 3);
  assert.equal((await rows('SUMMARIZE d')).length, 3);
});

for (const [name, sql] of ATTACKS) {
  void test(`${name} is refused and leaves the bucket as it was`, async () => {
    const root = converted.uri('').replace(/\/$/, '');
    const part = converted.uri('d/ingest_date=2026-01-02/source=a/part-00000.parquet');
    await assertRefused(sql({ root, part, outside }));
  });
}

const S3_ATTACKS: [name: string, sql: () => string][] = [
  ['reading another key', () => `FROM read_text('${converted.uri('stray.csv')}')`],
  [
    'reading a manifest',
    () => `FROM read_text('${converted.uri('d/ingest_date=2026-01-02/_manifest.json')}')`,
  ],
  ['reading another bucket', () => "FROM read_text('s3://other/x.csv')"],
  [
    'reading through another scheme',
    () => `FROM read_text('${uriOfPart().replace('s3:', 's3a:')}')`,
  ],
  ['reading over HTTP from the store', () => `FROM read_text('${s3.endpoint}/other/x.csv')`],
  ['sending the request elsewhere', () => `FROM '${uriOfPart()}?s3_endpoint=127.0.0.1:9'`],
  ['listing the bucket', () => `FROM glob('s3://${s3.bucket}/**')`],
  ['a glob over published files', () => `FROM '${uriOfPart().replace('part-00000', '*')}'`],
  ['COPY into the bucket', () => `COPY d TO 's3://${s3.bucket}/evil.parquet'`],
  [
    'another secret',
    () => "CREATE OR REPLACE SECRET longhaul_s3 (TYPE s3, KEY_ID 'x', SECRET 'y')",
  ],
  ['DROP SECRET', () => 'DROP SECRET longhaul_s3'],
  ['the secret, unredacted', () => 'FROM duckdb_secrets(redact = false)'],
  ['the environment', () => "SELECT getenv('AWS_SECRET_ACCESS_KEY')"],
];

for (const [name, sql] of S3_ATTACKS) {
  void test(`${name} is refused and leaves the buckets as they were`, async () => {
    await assertRefused(sql());
  });
}

for (const sql of [
  'FROM duckdb_secrets()',
  "FROM which_secret('s3://longhaul-test/x', 's3')",
  'FROM duckdb_settings()',
  "SELECT current_setting('s3_secret_access_key') AS a, current_setting('s3_session_token') AS b",
  'FROM duckdb_variables()',
  'FROM duckdb_functions()',
  'FROM d, duckdb_memory()',
]) {
  void test(`${sql} shows neither the secret key nor the session token`, async () => {
    process.env['AWS_SESSION_TOKEN'] = TOKEN;
    try {
      const text = JSON.stringify(await rows(sql));
      assert.ok(!text.includes(s3.env['AWS_SECRET_ACCESS_KEY'] ?? ''), text);
      assert.ok(!text.includes(TOKEN), text);
    } finally {
      delete process.env['AWS_SESSION_TOKEN'];
    }
  });
}

void test('a missing object is damage of the lake, and fails only the query that reads it', async () => {
  await assert.rejects(rows('FROM gone'), (error: LonghaulError) => {
    assert.equal(error.code, 'LAKE_CORRUPT');
    assert.match(
      error.message,
      /s3:\/\/longhaul-test\/takehome-converted\/gone\/ingest_date=.* is gone/,
    );
    return true;
  });
});

for (const [name, status, s3Code, code] of [
  ['a permission that is missing', 403, 'AccessDenied', 'STORE_FORBIDDEN'],
  ['a session that has expired', 400, 'ExpiredToken', 'STORE_CREDENTIALS'],
  ['another region', 301, 'PermanentRedirect', 'STORE_WRONG_REGION'],
] as const) {
  void test(`${name} has its own code, and no credentials in its message`, async () => {
    const server = createServer((request, response) => {
      response.writeHead(status, { 'content-type': 'application/xml' });
      const body = `<Error><Code>${s3Code}</Code><Message>said ${s3Code}</Message></Error>`;
      response.end(request.method === 'HEAD' ? undefined : body);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      // Longhaul keeps one client per settings, so changed settings give DuckDB a client with this address.
      process.env['AWS_ENDPOINT_URL_S3'] = `http://127.0.0.1:${port}`;
      const settings = { ...s3.settings, stallTimeoutMs: s3.settings.stallTimeoutMs + port };
      const reading = rowsOf('FROM d', { converted, s3: { settings, httpfsPath } });
      await assert.rejects(reading, (error: LonghaulError) => {
        assert.equal(error.code, code, error.message);
        assert.ok(!error.message.includes(s3.env['AWS_SECRET_ACCESS_KEY'] ?? ''));
        return true;
      });
    } finally {
      process.env['AWS_ENDPOINT_URL_S3'] = s3.endpoint;
      server.closeAllConnections();
      server.close();
    }
  });
}

void test('datasets and query find the lake in the bucket, and print s3:// as they print a disk', async () => {
  const lake = ['--lake', `s3://${s3.bucket}`];
  const env = { AWS_ENDPOINT_URL_S3: s3.endpoint, DUCKDB_HTTPFS: httpfsPath };
  const place = new Workplace({}, env);
  try {
    const listed = await place.run('datasets', ...lake, '--json');
    const { datasets } = JSON.parse(listed.stdout) as { datasets: { name: string }[] };
    assert.deepEqual(
      datasets.map(({ name }) => name),
      ['d', 'gone'],
    );
    const asked = await place.run('query', ...lake, 'SELECT sum(x)::INT AS s FROM d', '--json');
    assert.deepEqual(JSON.parse(asked.stdout), [{ s: 5 }]);
    assert.equal((await place.run('datasets', '--json')).stdout, '{"datasets":[]}\n');
  } finally {
    place.remove();
  }
});

function uriOfPart(): string {
  return converted.uri('d/ingest_date=2026-01-02/source=a/part-00000.parquet');
}

async function assertRefused(sql: string): Promise<void> {
  const before = await fingerprint();
  await assert.rejects(rows(sql), (error: LonghaulError) => {
    assert.ok(['QUERY_REFUSED', 'QUERY_FAILED'].includes(error.code), error.message);
    return true;
  });
  assert.deepEqual(await fingerprint(), before);
}
