import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'dotenv';
import { loadConfig } from '../../src/config/load-config.ts';
import { SETTING_KEYS } from '../../src/config/setting-keys.ts';
import { configFolder, messageOf } from './config-files.ts';

const { folder, folderWith } = configFolder();

void test('without any setting the lake lies in data/ and Temporal is embedded', () => {
  const cwd = folderWith({});
  const settings = loadConfig({ env: {}, cwd }).settings;
  assert.deepEqual(settings.lake, { kind: 'disk', folder: join(cwd, 'data') });
  assert.equal(settings.stateDir, join(cwd, 'data', '.longhaul'));
  assert.equal(settings.temporal.address, undefined);
  assert.deepEqual(settings.addresses, {
    fileMarks: join(settings.stateDir, 'files'),
    allowPrivate: true,
  });
  assert.match(settings.duckdb.memoryLimit, /^\d+MiB$/);
});

void test('a configured Temporal takes file: and private addresses away', () => {
  const settings = loadConfig({
    env: { TEMPORAL_ADDRESS: 't.example:7233' },
    cwd: folder,
  }).settings;
  assert.deepEqual(settings.addresses, { allowPrivate: false });
});

void test('the environment wins over the file, and an empty variable undoes a line of it', () => {
  const cwd = folderWith({ '.env': 'ENGINE=parquetjs\nTEMPORAL_ADDRESS=t.example:7233\n' });
  const file = loadConfig({ env: {}, cwd }).settings;
  assert.equal(file.engine, 'parquetjs');
  assert.equal(file.temporal.address, 't.example:7233');
  const both = loadConfig({ env: { ENGINE: 'duckdb', TEMPORAL_ADDRESS: '' }, cwd }).settings;
  assert.equal(both.engine, 'duckdb');
  assert.equal(both.temporal.address, undefined);
});

void test('an API key turns TLS on', () => {
  const env = { TEMPORAL_ADDRESS: 't.example:7233', TEMPORAL_API_KEY: 'k' };
  assert.equal(loadConfig({ env, cwd: folder }).settings.temporal.tls, true);
  assert.equal(
    loadConfig({ env: { ...env, TEMPORAL_TLS: 'false' }, cwd: folder }).settings.temporal.tls,
    false,
  );
});

void test('all problems are one message, each with its file and line', () => {
  const cwd = folderWith({
    '.env':
      '# ours\nDUCKDB_THREADS=0\n\nexport DATASETS_FIL=x\nTEMPORAL_FOO=1\nAWS_PROFILE=theirs\n',
    'datasets.yaml':
      'datasets:\n  denver:\n    sources:\n      - id: a\n        address: nonsense\n',
  });
  const message = messageOf(() => loadConfig({ env: { ENGINE: 'sprak' }, cwd }));
  assert.match(message, /^5 settings are not right/);
  assert.match(message, /\.env:2: DUCKDB_THREADS must be a whole number from 1 to 1024, not "0"/);
  assert.match(message, /\.env:4: "DATASETS_FIL" is not a setting; did you mean DATASETS_FILE\?/);
  assert.match(message, /\.env:5: "TEMPORAL_FOO" is not a setting/);
  assert.match(
    message,
    /environment: ENGINE must be one of duckdb, spark, parquetjs, emr, emr-serverless, not "sprak"/,
  );
  assert.match(message, /datasets\.yaml:5: "nonsense" is not an http\(s\) address/);
  assert.doesNotMatch(message, /AWS_PROFILE/);
});

void test('a secret is never part of a message', () => {
  const message = messageOf(
    () => loadConfig({ env: { TEMPORAL_API_KEY: 'sekrit', ENGINE: 'x' }, cwd: folder }).settings,
  );
  assert.match(message, /TEMPORAL_API_KEY needs a TEMPORAL_ADDRESS/);
  assert.doesNotMatch(message, /sekrit/);
});

void test('control characters of a value do not reach the terminal', () => {
  const message = messageOf(
    () => loadConfig({ env: { ENGINE: '\u001b[31mred' }, cwd: folder }).settings,
  );
  assert.ok(!message.includes('\u001b'));
});

void test('the default datasets file may be absent, a chosen one may not', () => {
  const cwd = folderWith({});
  assert.deepEqual(loadConfig({ env: {}, cwd }).datasets, []);
  const message = messageOf(() => loadConfig({ env: { DATASETS_FILE: 'mine.yaml' }, cwd }));
  assert.match(message, /mine\.yaml: cannot be read/);
});

void test('.env.example has every setting, each with a value that is accepted, and none besides', () => {
  const example = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');
  const uncommented = example.replaceAll(/^#(?=[A-Z\d_]+=)/gm, '');
  assert.deepEqual(
    Object.keys(parse(uncommented)).toSorted(),
    Object.keys(SETTING_KEYS).toSorted(),
  );
  assert.ok(
    loadConfig({
      env: {},
      cwd: folderWith({ '.env': uncommented, 'datasets.yaml': 'datasets: {}' }),
    }).settings,
  );
});

void test('docs/configuration.md explains every setting', () => {
  const docs = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  for (const key of Object.keys(SETTING_KEYS)) assert.ok(docs.includes(`\`${key}\``), key);
});
