import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadSettings } from '../../src/config/load-settings.ts';
import { configFolder, messageOf } from './config-files.ts';

const { folder, folderWith } = configFolder();

describe('LAKE', () => {
  const lakeOf = (env: Record<string, string>, lake?: string) =>
    loadSettings({ env, cwd: folder, lake }).lake;

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
  const stateOf = (env: Record<string, string>) => loadSettings({ env, cwd: folder }).stateDir;

  it('lies in a lake on a disk, beside the command for one in a bucket, or where it is said', () => {
    assert.equal(stateOf({}), join(folder, 'data', '.longhaul'));
    assert.equal(stateOf({ LAKE: 'x' }), join(folder, 'x', '.longhaul'));
    assert.equal(stateOf({ LAKE: 's3://my-lake/x' }), join(folder, '.longhaul'));
    assert.equal(stateOf({ LAKE: 's3://my-lake', STATE_DIR: 'state' }), join(folder, 'state'));
    const { addresses } = loadSettings({ env: { STATE_DIR: 'state' }, cwd: folder });
    assert.equal(addresses.fileMarks, join(folder, 'state', 'files'));
  });
});

describe('a key that LAKE has replaced', () => {
  const cases: [Record<string, string>, string][] = [
    [{ DATA_DIR: '/srv/lake' }, 'write LAKE=/srv/lake'],
    [{ LONGHAUL_TARGET: 'disk' }, 'write LAKE=data'],
    [{ LONGHAUL_TARGET: 'disk', S3_BUCKET: 'b-1' }, 'write LAKE=data'],
    [{ DATA_DIR: 'x', S3_BUCKET: 'b-1' }, 'write LAKE=x'],
    [{ S3_BUCKET: 'my-lake' }, 'write LAKE=s3://my-lake'],
    [{ LONGHAUL_TARGET: 's3', S3_BUCKET: 'my-lake', DATA_DIR: 'x' }, 'write LAKE=s3://my-lake'],
    [
      { LONGHAUL_TARGET: 's3', S3_BUCKET: 'my-lake', S3_RAW_PREFIX: '/team/a/takehome-raw/' },
      'write LAKE=s3://my-lake/team/a',
    ],
    [
      { S3_BUCKET: 's3://my-lake/', S3_CONVERTED_PREFIX: 'team/converted' },
      'write LAKE=s3://my-lake/team',
    ],
    [{ LONGHAUL_TARGET: 's3' }, 'write LAKE=s3://my-bucket'],
    [{ DATA_DIR: 'x', LAKE: 'y' }, 'LAKE says where the lake is'],
  ];
  for (const [env, instead] of cases) {
    const lines = Object.entries(env).map(([key, value]) => `${key}=${value}`);
    it(`is refused with what to write: ${lines.join(' ')}`, () => {
      const old = Object.keys(env).filter((key) => key !== 'LAKE');
      const ofEnvironment = messageOf(() => loadSettings({ env, cwd: folder }));
      for (const key of old) {
        const line = ofEnvironment.split('\n').find((each) => each.includes(` ${key}=`)) ?? '';
        assert.match(line, /^ {2}environment: .* is no setting any more: remove it; /);
        assert.ok(line.endsWith(`; ${instead}`), line);
      }
      const cwd = folderWith({ '.env': lines.join('\n') });
      const ofFile = messageOf(() => loadSettings({ env: {}, cwd }));
      for (const key of old) {
        assert.ok(ofFile.includes(`.env:${Object.keys(env).indexOf(key) + 1}: ${key}=`), ofFile);
      }
      assert.ok(ofFile.startsWith(old.length === 1 ? 'One setting' : `${old.length} settings`));
    });
  }

  it('that is empty is none', () => {
    assert.equal(loadSettings({ env: { DATA_DIR: '' }, cwd: folder }).lake.kind, 'disk');
  });

  it('is not taken for a misspelt key, and neither is what only looks like LAKE', () => {
    const cwd = folderWith({ '.env': 'LANG=C\nNAME=x\nMAKE=gmake\n' });
    assert.equal(loadSettings({ env: {}, cwd }).lake.kind, 'disk');
  });
});
