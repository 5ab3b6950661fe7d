import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildProgram } from '../../src/cli/program.ts';
import { resultText } from '../../src/cli/ledger.ts';
import type { LonghaulError } from '../../src/model/errors.ts';
import { contextOf, workplace } from './fake-context.ts';

const DATASETS = `
datasets:
  trees:
    sources:
      - { id: a, address: "http://127.0.0.1/a.csv" }
`;

const place = workplace({ 'datasets.yaml': DATASETS });

for (const argv of [
  ['ingest', 'trees'],
  ['land', 'trees'],
  ['convert', 'trees'],
  ['datasets'],
  ['verify', 'trees'],
  ['query', 'SELECT 1'],
]) {
  void test(`longhaul ${argv.join(' ')} refuses a --lake that is no address, at once`, async () => {
    const { exitCode, stdout } = await place.run(...argv, '--lake', 'gs://b', '--json');
    assert.equal(exitCode, 2);
    const { error } = JSON.parse(stdout) as { error: LonghaulError };
    assert.equal(error.code, 'CONFIG_INVALID');
    assert.match(error.message, /--lake: LAKE must be a folder, or s3:/);
  });
}

void test('--lake goes before the command and behind it, and every --help has it', async () => {
  for (const argv of [
    ['--lake', 'other', 'datasets'],
    ['datasets', '--lake', 'other'],
  ]) {
    assert.equal((await place.run(...argv, '--json')).exitCode, 0);
  }
  for (const name of ['ingest', 'query', 'worker']) {
    let output = '';
    const command = buildProgram(contextOf()).commands.find((each) => each.name() === name);
    command?.configureOutput({ writeOut: (text) => (output += text) }).outputHelp();
    assert.match(output, /--lake <address> +the lake: a folder, or s3:\/\/bucket\/prefix/);
  }
});

void test('--target is gone, and said so', async () => {
  const { exitCode, stderr } = await place.run('datasets', '--target', 's3');
  assert.equal(exitCode, 2);
  assert.match(stderr, /^USAGE: Unknown option '--target'/);
});

void test('what to do next goes to the same lake', () => {
  const source = {
    id: 'a',
    url: 'http://h/',
    status: 'landed' as const,
    bytes: 1,
    checksum: 'crc32:00000000',
    raw: '/lake/raw/a.csv',
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
    sources: [source],
  };
  const text = (flag: string): string => resultText(report, flag);
  assert.match(text(' --lake s3://b'), /convert trees --date 2026-01-01 --lake s3:\/\/b$/);
  assert.match(text(''), /longhaul convert trees --date 2026-01-01$/);
});
