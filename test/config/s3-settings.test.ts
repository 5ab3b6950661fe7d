import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import { loadSettings, readSettings } from '../../src/config/load-settings.ts';
import type { S3Settings } from '../../src/config/settings.ts';
import type { LonghaulError } from '../../src/model/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'longhaul-s3-settings-'));
after(() => {
  rmSync(folder, { recursive: true });
});

function folderWith(envFile: string): string {
  const cwd = mkdtempSync(join(folder, 'case-'));
  writeFileSync(join(cwd, '.env'), envFile);
  return cwd;
}

function s3Of(env: Record<string, string>): S3Settings | undefined {
  return loadSettings({ env, cwd: folder }).s3;
}

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert.equal((error as LonghaulError).code, 'CONFIG_INVALID');
    return (error as Error).message;
  }
  return assert.fail('nothing was thrown');
}

void test('without a bucket there is no lake in S3, and the target is the disk', () => {
  const settings = loadSettings({ env: { S3_RAW_PREFIX: 'x' }, cwd: folder });
  assert.equal(settings.s3, undefined);
  assert.equal(settings.target, 'disk');
});

void test('a bucket is enough', () => {
  const env = { S3_BUCKET: 'my.lake-1', LONGHAUL_TARGET: 's3' };
  assert.equal(loadSettings({ env, cwd: folder }).target, 's3');
  assert.deepEqual(s3Of(env), {
    bucket: 'my.lake-1',
    rawPrefix: 'takehome-raw/',
    convertedPrefix: 'takehome-converted/',
    pathStyle: false,
    checksums: true,
    uploadConcurrency: 4,
    connectTimeoutMs: 10_000,
    stallTimeoutMs: 60_000,
  });
});

void test('every key of S3 is read', () => {
  assert.deepEqual(
    s3Of({
      S3_BUCKET: 'lake',
      S3_RAW_PREFIX: '/team/raw/',
      S3_CONVERTED_PREFIX: 'team/converted',
      S3_PATH_STYLE: 'true',
      S3_CHECKSUMS: 'false',
      S3_STALL_TIMEOUT_SECONDS: '1.5',
    }),
    {
      bucket: 'lake',
      rawPrefix: 'team/raw/',
      convertedPrefix: 'team/converted/',
      pathStyle: true,
      checksums: false,
      uploadConcurrency: 4,
      connectTimeoutMs: 10_000,
      stallTimeoutMs: 1500,
    },
  );
});

void test('the path of httpfs starts at the folder of the command', () => {
  const { duckdb } = loadSettings({ env: { DUCKDB_HTTPFS: 'x/httpfs' }, cwd: folder });
  assert.equal(duckdb.httpfs, join(folder, 'x/httpfs'));
});

for (const key of ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL']) {
  void test(`a store of its own (${key}) is reached by path, unless S3_PATH_STYLE says otherwise`, () => {
    const env = { S3_BUCKET: 'lake', [key]: 'http://127.0.0.1:9000' };
    assert.equal(s3Of(env)?.pathStyle, true);
    assert.equal(s3Of({ ...env, S3_PATH_STYLE: 'false' })?.pathStyle, false);
    assert.equal(s3Of({ ...env, [key]: '' })?.pathStyle, false);
    const cwd = folderWith(`S3_BUCKET=lake\n${key}=http://127.0.0.1:9000\n`);
    assert.equal(loadSettings({ env: {}, cwd }).s3?.pathStyle, true);
  });
}

void test('every problem is told at once, with its file and line', () => {
  const cwd = folderWith(
    [
      'LONGHAUL_TARGET=s4',
      'S3_BUCKET=s3://lake/',
      'S3_RAW_PREFIX=a/../b',
      'S3_CONVERTED_PREFIX=*',
      'S3_PATH_STYLE=yes',
      'S3_CHECKSUMS=1',
      'S3_STALL_TIMEOUT_SECONDS=0',
      'S3_REGION=eu-west-1',
      'S3_BUKET=lake',
      'AWS_REGION=eu-west-1',
      'AWS_SECRET_ACCESS_KEY=sekrit',
    ].join('\n'),
  );
  const message = messageOf(() => loadSettings({ env: {}, cwd }));
  assert.match(message, /^9 settings are not right/);
  assert.match(message, /\.env:1: LONGHAUL_TARGET must be one of disk, s3, not "s4"/);
  assert.match(
    message,
    /\.env:2: S3_BUCKET must be the name of a bucket, without s3:\/\/, not "s3:\/\/lake\/"/,
  );
  assert.match(message, /\.env:3: S3_RAW_PREFIX must be a prefix such as/);
  assert.match(message, /\.env:4: S3_CONVERTED_PREFIX must be a prefix such as/);
  assert.match(message, /\.env:5: S3_PATH_STYLE must be true or false/);
  assert.match(message, /\.env:6: S3_CHECKSUMS must be true or false/);
  assert.match(message, /\.env:7: S3_STALL_TIMEOUT_SECONDS must be seconds/);
  assert.match(message, /\.env:8: "S3_REGION" is not a setting/);
  assert.match(message, /\.env:9: "S3_BUKET" is not a setting; did you mean S3_BUCKET\?/);
  assert.doesNotMatch(message, /AWS_|sekrit/);
});

void test('the target s3 without a bucket, or with a bad one, is one problem', () => {
  const without = folderWith('\nLONGHAUL_TARGET=s3\n');
  assert.match(
    messageOf(() => loadSettings({ env: {}, cwd: without })),
    /One setting is not right:\n {2}\.env:2: LONGHAUL_TARGET=s3 needs an S3_BUCKET/,
  );
  const bad = { LONGHAUL_TARGET: 's3', S3_BUCKET: 'Lake' };
  assert.match(
    messageOf(() => loadSettings({ env: bad, cwd: folder })),
    /One setting is not right:\n {2}environment: S3_BUCKET must be/,
  );
});

for (const [raw, converted] of [
  ['lake', 'lake'],
  ['lake', 'lake/converted'],
  ['lake/raw', 'lake'],
  ['takehome-converted/raw', ''],
] as const) {
  void test(`the prefixes "${raw}" and "${converted}" would hold each other`, () => {
    const cwd = folderWith(
      `S3_BUCKET=lake\nS3_RAW_PREFIX=${raw}\n${converted && `S3_CONVERTED_PREFIX=${converted}\n`}`,
    );
    const message = messageOf(() => loadSettings({ env: {}, cwd }));
    assert.match(message, /must not lie inside each other/);
    assert.ok(message.includes(converted ? '.env:3: ' : '.env:2: '), message);
  });
}

void test('prefixes of which one only starts like the other are apart', () => {
  assert.ok(
    s3Of({ S3_BUCKET: 'lake', S3_RAW_PREFIX: 'a/x', S3_CONVERTED_PREFIX: 'a/x-converted' }),
  );
});

void test('the AWS keys of .env become the environment of the process; what that has already wins', () => {
  const cwd = folderWith(
    'AWS_REGION=eu-west-1\nAWS_PROFILE=lake\nAWS_CA_BUNDLE=\nS3_BUCKET=lake\n',
  );
  const script = `
    import { loadConfig } from ${JSON.stringify(import.meta.resolve('../../src/config/load-config.js'))};
    loadConfig();
    const { AWS_REGION = '', AWS_PROFILE = '', AWS_CA_BUNDLE = 'unset' } = process.env;
    console.log([AWS_REGION, AWS_PROFILE, AWS_CA_BUNDLE].join(' '));`;
  const run = (env: Record<string, string>): string =>
    execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
      cwd,
      env: { PATH: process.env['PATH'] ?? '', ...env },
      encoding: 'utf8',
    }).trim();
  assert.equal(run({}), 'eu-west-1 lake unset');
  assert.equal(run({ AWS_REGION: 'us-east-2' }), 'us-east-2 lake unset');
});

void test('an identity is of one place: no key of .env is added to one of the environment', () => {
  const cwd = folderWith(
    'AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\nAWS_SESSION_TOKEN=c\nAWS_PROFILE=p\nAWS_REGION=r\n',
  );
  const awsOf = (env: Record<string, string>): string[] =>
    Object.keys(readSettings({ env, cwd }).aws).toSorted();
  assert.equal(awsOf({}).length, 5);
  assert.deepEqual(awsOf({ AWS_PROFILE: 'mine' }), ['AWS_REGION']);
  assert.deepEqual(awsOf({ AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y' }), ['AWS_REGION']);
});

void test('loading the settings of another folder changes nothing of this process', () => {
  const cwd = folderWith('AWS_LONGHAUL_TEST=x\n');
  loadConfig({ env: {}, cwd });
  assert.equal(process.env['AWS_LONGHAUL_TEST'], undefined);
});

void test('the place of the lake in S3 tells two lakes apart, without credentials', () => {
  const placeOf = (env: Record<string, string>): string | undefined =>
    loadConfig({ env, cwd: folder }).s3Place;
  assert.equal(placeOf({}), undefined);
  assert.equal(
    placeOf({ S3_BUCKET: 'lake' }),
    's3://lake (takehome-raw/, takehome-converted/) at AWS',
  );
  const other = { S3_BUCKET: 'lake', AWS_ENDPOINT_URL: 'http://u:sekrit@127.0.0.1:9000' };
  assert.match(placeOf(other) ?? '', /at http:\/\/127\.0\.0\.1:9000$/);
});
