import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { entryWith, snapshotJson } from '../helpers/manifests.ts';
import { writeParquet } from '../lake/tiny-lake.ts';
import { workplace, type Workplace } from './fake-context.ts';

const DATASETS = `
datasets:
  denver-311:
    time_zone: America/Denver
    sources:
      - { id: 2015, address: "http://127.0.0.1/2015.csv" }
`;

const FILES = { 'datasets.yaml': DATASETS };

/** A lake whose dataset has one published snapshot, with one source and one Parquet file with these columns. */
async function published(dataset: string, select: string): Promise<Workplace> {
  const place = workplace(FILES);
  const root = join(place.cwd, 'data', 'takehome-converted');
  const key = `${dataset}/ingest_date=2026-01-01/source=a/part-00000.parquet`;
  mkdirSync(root, { recursive: true });
  await writeParquet(select, join(root, key));
  const columns = [{ name: 'x', publisherName: 'X', type: 'BIGINT' as const }];
  const ledger = { records: 3, rows: 3, rejected: 0 };
  const sources = [{ ...entryWith(key), schema: { columns } }];
  await new DiskStore(root).putIfAbsent(
    `${dataset}/ingest_date=2026-01-01/_manifest.json`,
    snapshotJson({ dataset, ledger, sources }),
  );
  return place;
}

void test('datasets lists what is configured and what is published', async () => {
  const place = await published('trees', 'SELECT 1::BIGINT AS x');
  const { stdout, exitCode } = await place.run('datasets', '--json');
  assert.equal(exitCode, 0);
  assert.deepEqual(JSON.parse(stdout), {
    datasets: [
      {
        name: 'denver-311',
        view: 'denver_311',
        historyView: 'denver_311_history',
        configured: true,
        sources: ['2015'],
        snapshots: 0,
      },
      {
        name: 'trees',
        view: 'trees',
        historyView: 'trees_history',
        configured: false,
        sources: ['a'],
        snapshots: 1,
        last: { ingestDate: '2026-01-01', revision: 1, rows: 3 },
      },
    ],
  });
  assert.match((await place.run('datasets')).stdout, /trees \(not in datasets\.yaml\)/);
});

void test('query prints exact JSON, CSV and tables', async () => {
  const place = await published('trees', 'SELECT unnest([1, 9007199254740993, NULL])::BIGINT AS x');
  const json = await place.run('query', 'SELECT x, source FROM trees', '--format', 'json');
  assert.deepEqual(JSON.parse(json.stdout), [
    { x: 1, source: 'a' },
    { x: '9007199254740993', source: 'a' },
    { x: null, source: 'a' },
  ]);
  const csv = await place.run(
    'query',
    "SELECT x, 'a,\"b' AS t FROM trees LIMIT 2",
    '--format',
    'csv',
  );
  assert.equal(csv.stdout, 'x,t\n1,"a,""b"\n9007199254740993,"a,""b"\n');
  const table = await place.run('query', 'SELECT x FROM trees', '--limit', '1');
  assert.match(table.stdout, /│ 1 │/);
  assert.doesNotMatch(table.stdout, /9007/);
  assert.match(table.stderr, /Only the first 1 rows are shown/);
  const none = await place.run('query', 'SELECT x FROM trees WHERE false', '--json');
  assert.deepEqual(JSON.parse(none.stdout), []);
});

void test('query --as-of a day before the first snapshot knows no view', async () => {
  const place = await published('trees', 'SELECT 1::BIGINT AS x');
  const past = await place.run('query', '--as-of', '2025-12-31', 'SELECT x FROM trees');
  assert.equal(past.exitCode, 2);
  assert.match(
    past.stderr,
    /→ On 2025-12-31 nothing was published yet\. trees is there from 2026-/,
  );
  const day = await place.run('query', '--as-of', '2026-01-01', 'SELECT x FROM trees', '--json');
  assert.deepEqual(JSON.parse(day.stdout), [{ x: 1 }]);
});

void test('no result can move the cursor', async () => {
  const place = workplace(FILES);
  const sql = String.raw`SELECT chr(27) || '[2J' AS "a${'\u001b'}", chr(155) || 'x' AS b`;
  for (const format of ['table', 'json']) {
    const { stdout } = await place.run('query', sql, '--format', format);
    assert.ok(!stdout.includes('\u001b') && !stdout.includes('\u009b'), format);
    assert.match(stdout, /\\u001b/);
  }
});

void test('an error in the middle of the rows leaves no half JSON behind', async () => {
  const place = workplace(FILES);
  const sql =
    "SELECT CAST(CASE WHEN i = 100000 THEN 'x' ELSE '1' END AS INT) AS n FROM range(200000) t(i)";
  const { stdout, exitCode } = await place.run('query', sql, '--json');
  assert.equal(exitCode, 2);
  assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'QUERY_FAILED');
});

void test('a misspelt view is answered with the views that are there', async () => {
  const place = await published('trees', 'SELECT 1::BIGINT AS x');
  const { stderr } = await place.run('query', 'SELECT * FROM tree');
  assert.match(stderr, /The views are trees;/);
});

for (const [argv, code, exitCode] of [
  [['ingest', 'nosuch'], 'DATASET_UNKNOWN', 2],
  [['ingest', 'Trees'], 'NAME_INVALID', 2],
  [['ingest', '../..'], 'USAGE', 2],
  [['ingest', './none.csv'], 'SOURCE_NOT_FOUND', 4],
  [['ingest', 'denver-311', '--date', '../..'], 'NAME_INVALID', 2],
  [['ingest', 'denver-311', '--date', '2026-02-30'], 'NAME_INVALID', 2],
  [['ingest', 'denver-311', '--date', '9999-12-31', '--as-if'], 'DATE_IN_FUTURE', 2],
  [['ingest', 'denver-311', '--name', 'x'], 'USAGE', 2],
  [['ingest', 'http://127.0.0.1/x.csv', '--name', 'denver-311'], 'USAGE', 2],
  [['ingest', 'http://127.0.0.1/x.csv', '--name', '../..'], 'NAME_INVALID', 2],
  [['ingest', 'ftp://127.0.0.1/x.csv', '--name', 'x'], 'ADDRESS_REFUSED', 4],
  [['ingest', 'http://u:secret@127.0.0.1/x.csv', '--name', 'x'], 'ADDRESS_REFUSED', 4],
  [['ingest', 'http://127.0.0.1/', '--detach'], 'USAGE', 2],
  [['ingest', 'denver-311', '--detach'], 'EMBEDDED_NOT_RUNNING', 2],
  [['verify', 'denver-311'], 'NOT_PUBLISHED', 2],
  [['verify', 'denver-311', '--date', '2026-02-30'], 'NAME_INVALID', 2],
  [['query', 'SELECT 1; SELECT 2'], 'QUERY_REFUSED', 2],
  [['query', '--as-of', '2026-02-30', 'SELECT 1'], 'NAME_INVALID', 2],
  [['query', '--as-of', 'yesterday', 'SELECT 1'], 'NAME_INVALID', 2],
  [['query', '--as-of', '9999-12-31', 'SELECT 1'], 'DATE_IN_FUTURE', 2],
  [['worker'], 'EMBEDDED_NOT_RUNNING', 2],
] as const) {
  void test(`longhaul ${argv.join(' ')} ends with ${code}`, async () => {
    const place = workplace(FILES);
    const words = await place.run(...argv);
    assert.equal(words.exitCode, exitCode);
    assert.ok(words.stderr.startsWith(`${code}: `), words.stderr);
    assert.doesNotMatch(words.stderr, /secret/);
    if (argv[0] === 'worker') return;
    const json = await place.run(...argv, '--json');
    assert.equal(json.exitCode, exitCode);
    assert.equal((JSON.parse(json.stdout) as { error: { code: string } }).error.code, code);
  });
}

for (const [typed, hint] of [
  ['htp://example.com/a.csv', /Did you mean http:\/\/example\.com\/a\.csv\?/],
  ['htps://example.com/a.csv', /Did you mean https:\/\/example\.com\/a\.csv\?/],
  ['www.example.com/a.csv', /starts with https:\/\//],
  ['https//example.com/a.csv', /starts with https:\/\//],
  ['s3://lake/a.csv', /download it, then give its path/],
  ['none.csv', /Look at the path/],
  ['/', /Name one CSV file/],
] as const) {
  void test(`the hint for ${typed} fits`, async () => {
    const { stderr } = await workplace(FILES).run('ingest', typed);
    assert.match(stderr.split('\n')[1] ?? '', hint);
  });
}

void test('a file of this machine is refused for the workers of a configured Temporal', async () => {
  const place = workplace({ '.env': 'TEMPORAL_ADDRESS=127.0.0.1:1\n', 'my.csv': 'a\n1\n' });
  for (const typed of ['./my.csv', `file://${place.cwd}/my.csv`]) {
    const { stderr, exitCode } = await place.run('ingest', typed);
    assert.equal(exitCode, 4);
    assert.match(stderr, /^ADDRESS_REFUSED: .*my\.csv .*127\.0\.0\.1:1[^]*→.*TEMPORAL_ADDRESS/);
  }
});

void test('settings that do not pass are the error of every command that needs them', async () => {
  const place = workplace({ 'datasets.yaml': 'datasets: 3\n', '.env': 'ENGINE=sprak\n' });
  const { stdout, exitCode } = await place.run('datasets', '--json');
  assert.equal(exitCode, 2);
  const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
  assert.equal(error.code, 'CONFIG_INVALID');
  assert.match(error.message, /\.env:1: ENGINE[^]*datasets\.yaml:1: "datasets" must be a map/);
});

void test('no server answers at the configured address: the error says which', async () => {
  const place = workplace({ ...FILES, '.env': 'TEMPORAL_ADDRESS=127.0.0.1:1\n' });
  for (const argv of [['runs'], ['ingest', 'denver-311']]) {
    const { stdout, exitCode } = await place.run(...argv, '--json');
    assert.equal(exitCode, 9);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    assert.equal(error.code, 'TEMPORAL_UNREACHABLE');
    assert.match(error.message, /127\.0\.0\.1:1/);
  }
});
