import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import type { S3Settings } from '../../src/config/settings.ts';
import { configFolder, messageOf } from './config-files.ts';

const { folder, folderWith } = configFolder();
const folderOf = (envFile: string): string => folderWith({ '.env': envFile });

function s3Of(env: Record<string, string>, cwd = folder): S3Settings {
  const { lake } = loadConfig({ env, cwd }).settings;
  return lake.kind === 's3' ? lake : assert.fail('the lake is on a disk');
}

void test('every key of S3 is read', () => {
  const keys = { S3_PATH_STYLE: 'true', S3_CHECKSUMS: 'false', S3_STALL_TIMEOUT_SECONDS: '1.5' };
  const { pathStyle, checksums, stallTimeoutMs } = s3Of({ LAKE: 's3://lake', ...keys });
  assert.deepEqual([pathStyle, checksums, stallTimeoutMs], [true, false, 1500]);
});

void test('a database of AWS Glue is for a lake in S3, and has the form of one', () => {
  const of = (LAKE: string, GLUE_DATABASE: string) =>
    loadConfig({ env: { LAKE, GLUE_DATABASE }, cwd: folder }).settings.glueDatabase;
  assert.equal(of('s3://lake', 'my_lake-1'), 'my_lake-1');
  assert.equal(of('data', 'lake'), undefined);
  assert.match(
    messageOf(() => of('s3://lake', 'My Lake')),
    /GLUE_DATABASE must be a database of AWS Glue/,
  );
});

void test('a KMS key is an ARN, an id or an alias, and nothing else', () => {
  const id = '1234abcd-12ab-34cd-56ef-1234567890ab';
  const arn = 'arn:aws-us-gov:kms:us-gov-west-1:111122223333:';
  const keys = [id, `mrk-${id.replaceAll('-', '')}`, 'alias/aws/s3', `${arn}key/${id}`];
  for (const S3_KMS_KEY_ID of [...keys, `${arn}alias/lake`]) {
    assert.equal(s3Of({ LAKE: 's3://lake', S3_KMS_KEY_ID }).kmsKeyId, S3_KMS_KEY_ID);
  }
  for (const S3_KMS_KEY_ID of ['true', 'my key', 'arn:aws:s3:::bucket', `${id}'`, 'alias/']) {
    const message = messageOf(() => s3Of({ LAKE: 's3://lake', S3_KMS_KEY_ID }));
    assert.match(message, /S3_KMS_KEY_ID must be a KMS key's ARN/);
  }
});

void test('the path of httpfs starts at the folder of the command', () => {
  const { duckdb } = loadConfig({ env: { DUCKDB_HTTPFS: 'x/httpfs' }, cwd: folder }).settings;
  assert.equal(duckdb.httpfs, join(folder, 'x/httpfs'));
});

for (const key of ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL']) {
  void test(`a store of its own (${key}) is reached by path, unless S3_PATH_STYLE says otherwise`, () => {
    const env = { LAKE: 's3://lake', [key]: 'http://127.0.0.1:9000' };
    assert.equal(s3Of(env).pathStyle, true);
    assert.equal(s3Of({ ...env, S3_PATH_STYLE: 'false' }).pathStyle, false);
    assert.equal(s3Of({ ...env, [key]: '' }).pathStyle, false);
    const cwd = folderOf(`LAKE=s3://lake\n${key}=http://127.0.0.1:9000\n`);
    assert.equal(s3Of({}, cwd).pathStyle, true);
  });
}

void test('all problems are one message, each with its file and line', () => {
  const cwd = folderOf(
    [
      'LAKE=s3://lake/../b',
      'S3_PATH_STYLE=yes',
      'S3_CHECKSUMS=1',
      'S3_STALL_TIMEOUT_SECONDS=0',
      'S3_REGION=eu-west-1',
      'S3_PATH_STILE=true',
      'AWS_REGION=eu-west-1',
      'AWS_SECRET_ACCESS_KEY=sekrit',
    ].join('\n'),
  );
  const message = messageOf(() => loadConfig({ env: {}, cwd }).settings);
  assert.match(message, /^6 settings are not right/);
  assert.match(message, /\.env:1: LAKE must be a folder, or s3:\/\/bucket\/prefix, not "s3:/);
  assert.match(message, /\.env:2: S3_PATH_STYLE must be true or false/);
  assert.match(message, /\.env:3: S3_CHECKSUMS must be true or false/);
  assert.match(message, /\.env:4: S3_STALL_TIMEOUT_SECONDS must be seconds/);
  assert.match(message, /\.env:5: "S3_REGION" is not a setting/);
  assert.match(message, /\.env:6: "S3_PATH_STILE" is not a setting; did you mean S3_PATH_STYLE\?/);
  assert.doesNotMatch(message, /AWS_|sekrit/);
});

/** @returns the AWS keys that the environment of a process with this one and this `.env` has after loading. */
function awsAfterLoading(envFile: string, env: Record<string, string> = {}): string {
  const script = `
    import { loadConfig } from ${JSON.stringify(import.meta.resolve('../../src/config/load-config.js'))};
    loadConfig();
    const aws = Object.entries(process.env).filter(([key]) => /^AWS_(?!SDK)/.test(key));
    console.log(aws.map((each) => each.join('=')).sort().join(' '));`;
  return execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: folderOf(envFile),
    env: { PATH: process.env['PATH'] ?? '', ...env },
    encoding: 'utf8',
  }).trim();
}

void test('the AWS keys of .env become the environment of the process; what that has already wins', () => {
  const file = 'AWS_REGION=eu-west-1\nAWS_PROFILE=lake\nAWS_CA_BUNDLE=\nLAKE=s3://lake\n';
  assert.equal(awsAfterLoading(file), 'AWS_PROFILE=lake AWS_REGION=eu-west-1');
  const own = awsAfterLoading(file, { AWS_REGION: 'us-east-2' });
  assert.equal(own, 'AWS_PROFILE=lake AWS_REGION=us-east-2');
});

void test('an identity is of one place: no key of .env is added to one of the environment', () => {
  const keys = 'AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\nAWS_SESSION_TOKEN=c\nAWS_PROFILE=p\n';
  const file = `${keys}AWS_REGION=r\n`;
  assert.equal(awsAfterLoading(file).split(' ').length, 5);
  assert.equal(awsAfterLoading(file, { AWS_PROFILE: 'm' }), 'AWS_PROFILE=m AWS_REGION=r');
  const own = { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y' };
  assert.equal(
    awsAfterLoading(file, own),
    'AWS_ACCESS_KEY_ID=x AWS_REGION=r AWS_SECRET_ACCESS_KEY=y',
  );
});

void test('loading the settings of another folder changes nothing of this process', () => {
  const cwd = folderOf('AWS_LONGHAUL_TEST=x\n');
  loadConfig({ env: {}, cwd });
  assert.equal(process.env['AWS_LONGHAUL_TEST'], undefined);
});
