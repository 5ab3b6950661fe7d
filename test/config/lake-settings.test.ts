import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import { configFolder, messageOf } from './config-files.ts';

const { folder, folderWith } = configFolder();

describe('LAKE', () => {
  const lakeOf = (env: Record<string, string>, lake?: string) =>
    loadConfig({ env, cwd: folder, lake }).settings.lake;

  it('is a folder, from where the command stands, or a bucket with a prefix', () => {
    assert.deepEqual(lakeOf({}), { kind: 'disk', folder: join(folder, 'data') });
    assert.deepEqual(lakeOf({ LAKE: '../l/' }), { kind: 'disk', folder: join(folder, '../l') });
    assert.deepEqual(lakeOf({ LAKE: 's3://my.lake-1/team' }), {
      kind: 's3',
      bucket: 'my.lake-1',
      prefix: 'team/',
      pathStyle: false,
      checksums: true,
      kmsKeyId: undefined,
      uploadConcurrency: 4,
      connectTimeoutMs: 10_000,
      stallTimeoutMs: 60_000,
    });
  });

  it('yields to --lake, and each says where it is wrong', () => {
    assert.deepEqual(lakeOf({ LAKE: 's3://a-lake' }, 'x'), {
      kind: 'disk',
      folder: join(folder, 'x'),
    });
    const wrong = 'LAKE must be a folder, or s3://bucket/prefix, not "gs://lake"';
    assert.ok(messageOf(() => lakeOf({ LAKE: 'gs://lake' })).includes(`environment: ${wrong}`));
    assert.ok(messageOf(() => lakeOf({}, 'gs://lake')).includes(`--lake: ${wrong}`));
  });
});

describe('STATE_DIR', () => {
  const stateOf = (env: Record<string, string>) =>
    loadConfig({ env, cwd: folder }).settings.stateDir;

  it('lies in a lake on a disk, beside the command for one in a bucket, or where it is said', () => {
    assert.equal(stateOf({}), join(folder, 'data', '.longhaul'));
    assert.equal(stateOf({ LAKE: 'x' }), join(folder, 'x', '.longhaul'));
    assert.equal(stateOf({ LAKE: 's3://my-lake/x' }), join(folder, '.longhaul'));
    assert.equal(stateOf({ LAKE: 's3://my-lake', STATE_DIR: 'state' }), join(folder, 'state'));
    const { addresses } = loadConfig({ env: { STATE_DIR: 'state' }, cwd: folder }).settings;
    assert.equal(addresses.fileMarks, join(folder, 'state', 'files'));
  });
});

describe('a key that LAKE has replaced', () => {
  const OLD = ['LONGHAUL_TARGET', 'DATA_DIR', 'S3_BUCKET', 'S3_RAW_PREFIX', 'S3_CONVERTED_PREFIX'];
  const why = 'is no setting any more: remove it; ';
  const instead = 'write LAKE=<folder>, or LAKE=s3://<bucket>/<prefix>';

  it('is refused with what to write instead, in the environment and in .env', () => {
    const env = Object.fromEntries(OLD.map((key) => [key, 'x']));
    const ofEnvironment = messageOf(() => loadConfig({ env, cwd: folder }));
    const cwd = folderWith({ '.env': OLD.map((key) => `${key}=x`).join('\n') });
    const ofFile = messageOf(() => loadConfig({ env: { LAKE: 'y' }, cwd }));
    for (const [index, key] of OLD.entries()) {
      assert.ok(
        ofEnvironment.includes(`\n  environment: ${key}="x" ${why}${instead}`),
        ofEnvironment,
      );
      const line = `\n  .env:${index + 1}: ${key}="x" ${why}LAKE says where the lake is`;
      assert.ok(ofFile.includes(line), ofFile);
    }
    assert.match(ofFile, /^5 settings are not right/);
  });

  it('that is empty is none', () => {
    assert.equal(loadConfig({ env: { DATA_DIR: '' }, cwd: folder }).settings.lake.kind, 'disk');
  });

  it('is not taken for a misspelt key, and neither is what only looks like LAKE', () => {
    const cwd = folderWith({ '.env': 'LANG=C\nNAME=x\nMAKE=gmake\n' });
    assert.equal(loadConfig({ env: {}, cwd }).settings.lake.kind, 'disk');
  });
});
