import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'dotenv';
import { fingerprintsFor, type Fingerprints } from '../../src/config/fingerprints.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { Engine } from '../../src/model/dataset.ts';
import { configFolder } from './config-files.ts';

const { folder, folderWith } = configFolder();

function fingerprints(env: Record<string, string>, cwd = folder): Fingerprints {
  return loadConfig({ env, cwd }).fingerprints;
}

function changed(one: Record<string, string>, other: Record<string, string> = {}): string[] {
  const [a, b] = [fingerprints(one), fingerprints(other)];
  return Object.keys({ ...a, ...b }).filter((key) => a[key] !== b[key]);
}

/** Settings that no worker depends on: only the command uses them, or the command sends them with the run. */
const NOT_OF_WORKER =
  /^(?:LAKE|STATE_DIR|DATASETS_FILE|ENGINE|SOURCE_CONCURRENCY|HEARTBEAT_TIMEOUT_SECONDS|WORKER_HEALTH_ADDRESS|TEMPORAL_\w+)$/;

void test('each setting that a worker depends on changes its own fingerprint, and no other', () => {
  const text = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');
  const example = parse(text.replaceAll(/^#(?=[A-Z\d_]+=)/gm, ''));
  const needs: Record<string, Record<string, string>> = {
    WORKER_DEPLOYMENT_NAME: { WORKER_BUILD_ID: '1' },
    WORKER_BUILD_ID: { WORKER_DEPLOYMENT_NAME: 'a' },
    TEMPORAL_API_KEY: { TEMPORAL_ADDRESS: 't.example:7233' },
  };
  for (const [key, value] of Object.entries(example)) {
    if (/^TEMPORAL_|^DATASETS_FILE$/.test(key)) continue;
    const others = needs[key] ?? {};
    const names = changed({ ...others, [key]: value }).filter((name) => !(name in others));
    assert.deepEqual(names, NOT_OF_WORKER.test(key) ? [] : [key]);
  }
});

void test('the environment of the AWS SDK, Spark and Node counts; that of other programs does not', () => {
  const secret = 'wJalrXUtnFEMI-K7MDENG';
  for (const [name, key] of Object.entries({
    AWS_SECRET_ACCESS_KEY: 'AWS_SECRET_ACCESS_KEY',
    AWS_REGION: 'AWS_REGION',
    AWS_MAX_ATTEMPTS: 'AWS_*',
    SPARK_CONF_DIR: 'SPARK_*',
    _JAVA_OPTIONS: '_JAVA_OPTIONS',
    NODE_EXTRA_CA_CERTS: 'NODE_EXTRA_CA_CERTS',
  })) {
    assert.deepEqual(changed({ [name]: secret }), [key]);
    assert.deepEqual(changed({ [name]: '' }), [], 'an empty variable is none');
  }
  assert.deepEqual(changed({ EDITOR: 'vi', TERM: 'xterm', PATH: '/nowhere' }), []);
  assert.ok(!JSON.stringify(fingerprints({ AWS_SECRET_ACCESS_KEY: secret })).includes(secret));
});

void test('it does not matter whether .env or the environment says it, nor how a path is written', () => {
  const cwd = folderWith({});
  const env = { AWS_PROFILE: 'lake', DUCKDB_THREADS: '3', SPARK_HOME: join(cwd, 'spark') };
  const inEnvironment = fingerprints(env, cwd);
  writeFileSync(join(cwd, '.env'), 'AWS_PROFILE=lake\nDUCKDB_THREADS=3\nSPARK_HOME=spark\n');
  assert.deepEqual(fingerprints({}, cwd), inEnvironment);
});

void test('of the PATH it counts which Spark, Java and Python are found there', () => {
  writeFileSync(join(folder, 'java'), '');
  assert.deepEqual(changed({ PATH: folder }, { PATH: '/nowhere' }), ['PATH']);
  assert.deepEqual(changed({ PATH: `/nowhere:${folder}` }, { PATH: folder }), []);
});

void test('work brings the fingerprints of what it depends on: a disk no credentials, DuckDB no Java', () => {
  const all = fingerprints({});
  const keys = [
    'DUCKDB_THREADS',
    'AWS_PROFILE',
    'S3_CHECKSUMS',
    'JAVA_HOME',
    'PATH',
    'EMR_REQUEST',
  ];
  const has = (kind: 'disk' | 's3', ...engines: Engine[]): boolean[] =>
    keys.map((key) => key in fingerprintsFor(engines, { kind }, all));
  assert.deepEqual(has('disk', 'duckdb'), [true, false, false, false, false, false]);
  assert.deepEqual(has('disk', 'duckdb', 'spark'), [true, false, false, true, true, false]);
  assert.deepEqual(has('s3', 'emr'), [true, true, true, false, false, true]);
});
