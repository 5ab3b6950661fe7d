import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import type { S3Settings } from '../../src/config/settings.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { duckDbS3Error } from '../../src/storage/s3/engine-errors.ts';
import { openDuckDbS3 } from '../../src/storage/s3/engine-access.ts';
import { s3Settings } from '../helpers/s3.ts';

const folder = mkdtempSync(join(tmpdir(), 'longhaul-aws-'));
after(() => {
  rmSync(folder, { recursive: true });
});

/** Paths that do not exist, so that this machine's own AWS configuration is not used. */
const NOWHERE = {
  AWS_CONFIG_FILE: join(folder, 'none'),
  AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
  AWS_EC2_METADATA_DISABLED: 'true',
};
const KEYS = { AWS_ACCESS_KEY_ID: 'AKIA1', AWS_SECRET_ACCESS_KEY: "se'cret" };
const original = { ...process.env };
afterEach(() => {
  for (const key of Object.keys(process.env)) if (!(key in original)) delete process.env[key];
  Object.assign(process.env, original);
});

const LAKE = { bucket: 'lake', pathStyle: false };
let clients = 0;

/** The SQL that creates the secret. A connection with its own environment and client runs it last. */
async function secretOf(
  env: Record<string, string>,
  changes: Partial<S3Settings> = {},
  run: (sql: string) => Promise<void> = async () => await Promise.resolve(),
): Promise<string> {
  for (const key of Object.keys(process.env)) if (key.startsWith('AWS_')) delete process.env[key];
  Object.assign(process.env, NOWHERE, env);
  clients += 1;
  const settings = s3Settings({ ...LAKE, stallTimeoutMs: 1000 + clients, ...changes });
  const statements: string[] = [];
  const onRun = async (sql: string): Promise<void> => {
    statements.push(sql);
    await run(sql);
  };
  await openDuckDbS3({ run: onRun }, { settings, httpfsPath: "/it's/httpfs.duckdb_extension" });
  assert.equal(statements[0], "LOAD '/it''s/httpfs.duckdb_extension'");
  return statements.at(-1) ?? '';
}

void test('the secret is for the bucket alone, with the endpoint that the SDK would use', async () => {
  assert.equal(
    await secretOf({ ...KEYS, AWS_REGION: 'eu-west-1' }),
    "CREATE OR REPLACE TEMPORARY SECRET longhaul_s3 (TYPE s3, KEY_ID 'AKIA1', SECRET 'se''cret', " +
      "REGION 'eu-west-1', ENDPOINT 's3.eu-west-1.amazonaws.com', URL_STYLE 'vhost', USE_SSL true, " +
      "SCOPE 's3://lake/')",
  );
});

for (const [name, env, changes, expected] of [
  [
    'China has a domain of its own',
    { AWS_REGION: 'cn-north-1' },
    {},
    "ENDPOINT 's3.cn-north-1.amazonaws.com.cn', URL_STYLE 'vhost', USE_SSL true",
  ],
  [
    'FIPS endpoints are asked for',
    { AWS_REGION: 'us-east-1', AWS_USE_FIPS_ENDPOINT: 'true' },
    {},
    "ENDPOINT 's3-fips.us-east-1.amazonaws.com'",
  ],
  [
    'an endpoint of S3 alone, without TLS',
    { AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:7070' },
    { pathStyle: true },
    "ENDPOINT '127.0.0.1:7070', URL_STYLE 'path', USE_SSL false",
  ],
  [
    'an endpoint of every service, with a path',
    { AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: 'https://gate.example.com/s3/' },
    { pathStyle: true },
    "ENDPOINT 'gate.example.com/s3', URL_STYLE 'path', USE_SSL true",
  ],
  [
    "a bucket with a dot is reached by path, as its name does not fit the store's certificate",
    { AWS_REGION: 'us-east-1' },
    { bucket: 'lake.example.com' },
    "URL_STYLE 'path'",
  ],
  [
    'a key of KMS is named for what DuckDB writes',
    { AWS_REGION: 'us-east-1' },
    { kmsKeyId: 'alias/lake' },
    "KMS_KEY_ID 'alias/lake', REGION 'us-east-1'",
  ],
  [
    'a session has its token',
    { AWS_REGION: 'us-east-1', AWS_SESSION_TOKEN: 'tok/en==' },
    {},
    "SESSION_TOKEN 'tok/en=='",
  ],
] as [string, Record<string, string>, Partial<S3Settings>, string][]) {
  void test(name, async () => {
    assert.ok((await secretOf({ ...KEYS, ...env }, changes)).includes(expected));
  });
}

void test('credentials that end soon are renewed before DuckDB gets them', async () => {
  const script = join(folder, 'credentials.mjs');
  writeFileSync(
    script,
    `import { appendFileSync, statSync } from 'node:fs';
     appendFileSync(${JSON.stringify(join(folder, 'count'))}, '.');
     const n = statSync(${JSON.stringify(join(folder, 'count'))}).size;
     const Expiration = new Date(Date.now() + (n === 1 ? 8 : 60) * 60_000).toISOString();
     console.log(JSON.stringify({ Version: 1, AccessKeyId: 'key' + n, SecretAccessKey: 's', Expiration }));`,
  );
  const config = join(folder, 'config');
  writeFileSync(config, `[default]\nregion = eu-west-1\ncredential_process = node ${script}\n`);
  assert.match(await secretOf({ AWS_CONFIG_FILE: config }), /KEY_ID 'key2'/);
});

void test('without any credentials the error says so, instead of reading anonymously', async () => {
  await assert.rejects(secretOf({ AWS_REGION: 'eu-west-1' }), { code: 'STORE_CREDENTIALS' });
});

void test('no error shows, or is caused by, the SQL that holds the credentials', async () => {
  const run = async (sql: string): Promise<void> => {
    if (sql.startsWith('CREATE')) throw new Error(`Parser Error\nLINE 1: ${sql}`);
  };
  const env = { ...KEYS, AWS_REGION: 'eu-west-1' };
  await assert.rejects(secretOf(env, {}, run), (error: LonghaulError) => {
    assert.equal(error.code, 'STORE_CREDENTIALS');
    assert.equal(error.cause, undefined);
    assert.doesNotMatch(error.message, /cret'/);
    return true;
  });
});

void test('an extension of another DuckDB is an error that names the one to install', async () => {
  const run = async (): Promise<void> => {
    throw new Error('Invalid Input Error: built for DuckDB v1.0.0\nmore');
  };
  await assert.rejects(secretOf({ ...KEYS, AWS_REGION: 'eu-west-1' }, {}, run), {
    code: 'PROGRAM_NOT_INSTALLED',
    message: /built for DuckDB v1\.0\.0$/,
  });
});

const AT = "'https://lake.s3.eu-west-1.amazonaws.com/converted/d/ingest_date%3D2026/x.parquet'";
for (const [message, code, text] of [
  [
    `HTTP Error: HTTP GET error reading ${AT} in region 'eu-west-1' (HTTP 403 Forbidden)\n\nAccessDenied: no`,
    'STORE_FORBIDDEN',
    's3:GetObject on s3://lake/converted/d/ingest_date=2026/x.parquet',
  ],
  [
    `HTTP Error: HTTP GET error reading ${AT} in region 'eu-west-1' (HTTP 400 Bad Request)\n\nExpiredToken: old`,
    'STORE_CREDENTIALS',
    'ExpiredToken: old',
  ],
  [
    "HTTP Error: HTTP GET error reading 's3://lake/a=1/x' in region 'r' (HTTP 404 Not Found)",
    'LAKE_CORRUPT',
    's3://lake/a=1/x is gone',
  ],
  [
    "HTTP Error: HTTP GET error reading 's3://lake/x' in region 'r' (HTTP 301 Moved Permanently)",
    'STORE_WRONG_REGION',
    'The bucket lake',
  ],
  [
    "HTTP Error: Request returned HTTP 503 for HTTP HEAD to 'http://127.0.0.1:7070/lake/a/x'",
    'STORE_UNAVAILABLE',
    's3://lake/a/x',
  ],
  [
    "IO Error: Could not connect to server error for HTTP HEAD to 'http://127.0.0.1:1/lake/a/x'",
    'STORE_UNREACHABLE',
    's3://lake/a/x',
  ],
  [
    "HTTP Error: Unable to connect to URL 'https://lake.host/x': HTTP PUT (HTTP 403 Forbidden)\n\nAccessDenied: no",
    'STORE_FORBIDDEN',
    's3:PutObject',
  ],
] as const) {
  void test(`DuckDB's words on S3 are ${code}: ${message.slice(0, 60)}`, () => {
    const error = duckDbS3Error(message, 'lake');
    assert.ok(error instanceof LonghaulError);
    assert.equal(error.code, code);
    assert.ok(error.message.includes(text), error.message);
  });
}

void test('an error that is not about S3 is left alone', () => {
  for (const message of [
    "Binder Error: Table 'x' has no HTTP GET",
    'Invalid Input Error: No magic bytes found',
    'IO Error: Cannot open file "/x"',
  ]) {
    assert.equal(duckDbS3Error(message, 'lake'), undefined, message);
  }
});
