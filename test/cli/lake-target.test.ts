import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { lakeTarget } from '../../src/cli/commands/options.ts';
import { resultText } from '../../src/cli/ledger.ts';
import type { S3Settings } from '../../src/config/settings.ts';
import type { LonghaulError } from '../../src/model/errors.ts';
import { Workplace } from './fake-context.ts';

const DATASETS = `
datasets:
  trees:
    sources:
      - { id: a, address: "http://127.0.0.1/a.csv" }
`;

const place = new Workplace({ 'datasets.yaml': DATASETS });
after(() => {
  place.remove();
});

for (const argv of [
  ['ingest', 'trees'],
  ['land', 'trees'],
  ['convert', 'trees'],
  ['datasets'],
  ['verify', 'trees'],
  ['query', 'SELECT 1'],
]) {
  void test(`longhaul ${argv.join(' ')} --target s3 without a bucket names S3_BUCKET, at once`, async () => {
    const { exitCode, stdout } = await place.run(...argv, '--target', 's3', '--json');
    assert.equal(exitCode, 2);
    const { error } = JSON.parse(stdout) as { error: LonghaulError };
    assert.equal(error.code, 'CONFIG_INVALID');
    assert.match(error.message, /S3_BUCKET/);
  });
}

void test('a target that does not exist is an error of usage', async () => {
  const { exitCode, stderr } = await place.run('datasets', '--target', 'gcs');
  assert.equal(exitCode, 2);
  assert.match(stderr, /^USAGE: /);
});

void test('--target wins over LONGHAUL_TARGET; a disk needs no bucket', () => {
  const s3 = { bucket: 'lake' } as S3Settings;
  assert.equal(lakeTarget({ target: 'disk', s3 }, undefined), 'disk');
  assert.equal(lakeTarget({ target: 'disk', s3 }, 's3'), 's3');
  assert.equal(lakeTarget({ target: 's3', s3 }, undefined), 's3');
  assert.equal(lakeTarget({ target: 's3', s3 }, 'disk'), 'disk');
  assert.equal(lakeTarget({ target: 's3', s3: undefined }, 'disk'), 'disk');
});

void test('what to do next goes to the same lake', () => {
  const source = {
    id: 'a',
    url: 'http://h/',
    status: 'landed' as const,
    bytes: 1,
    checksum: 'crc32:00000000',
    parquet: [],
    records: 1,
    rows: 0,
    rejected: 0,
  };
  const report = {
    dataset: 'trees',
    ingestDate: '2026-01-01',
    mode: 'land' as const,
    status: 'landed' as const,
    revision: 1,
    ledger: { records: 1, rows: 0, rejected: 0, balanced: true },
    runId: 'r',
    durationMs: 1,
  };
  const text = (raw: string): string => resultText({ ...report, sources: [{ ...source, raw }] });
  assert.match(
    text('s3://lake/raw/a.csv'),
    /longhaul convert trees --date 2026-01-01 --target s3$/,
  );
  assert.match(text('/lake/raw/a.csv'), /longhaul convert trees --date 2026-01-01$/);
});
