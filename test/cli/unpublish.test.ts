import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { crc32 } from 'node:zlib';
import type { Unpublished } from '../../src/lake/unpublish.ts';
import { snapshotManifestKey } from '../../src/model/layout.ts';
import type { SourceEntry } from '../../src/model/manifest.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { entryWith, snapshotJson } from '../helpers/manifests.ts';
import { writeParquet } from '../lake/tiny-lake.ts';
import { Workplace } from './fake-context.ts';

const DATASETS = `
datasets:
  trees:
    time_zone: America/Denver
    sources: [{ id: a, address: "http://127.0.0.1/a.csv" }]
`;
const WHY = ['--reason', 'a test file'];

let place: Workplace;
beforeEach(() => {
  place = new Workplace({ 'datasets.yaml': DATASETS });
});
afterEach(() => place.remove());

/** Publishes one source with one row, whose `x` is the day. @param carried the day whose files the snapshot carries. */
async function publish(ingestDate: string, revision = 1, carried?: string): Promise<void> {
  const store = new DiskStore(join(place.cwd, 'data', 'takehome-converted'));
  const of = (day: string): string => `trees/ingest_date=${day}/source=a/part-00000.parquet`;
  const own = of(`${ingestDate}${revision > 1 ? `/_r${revision}` : ''}`);
  const [, day = ''] = /-0?(\d+)$/.exec(ingestDate) ?? [];
  if (carried === undefined) {
    await writeParquet(`SELECT ${day}${revision}::BIGINT AS x`, store.uri(own));
  }
  const columns = [{ name: 'x', publisherName: 'X', type: 'BIGINT' as const }];
  const entry: SourceEntry = {
    ...entryWith(carried === undefined ? own : of(carried)),
    ...{ schema: { columns }, status: carried === undefined ? 'converted' : 'unchanged' },
  };
  const at = { dataset: 'trees', ingestDate, revision };
  const key = snapshotManifestKey({ dataset: 'trees', ingestDate, revision });
  await store.putIfAbsent(key, snapshotJson({ ...at, sources: [entry] }));
}

async function rows(...argv: string[]): Promise<unknown> {
  const { stdout } = await place.run('query', 'SELECT x FROM trees', '--json', ...argv);
  return JSON.parse(stdout);
}

test('unpublish withdraws a day from every command, says what readers see instead, and removes nothing', async () => {
  await publish('2026-01-01');
  await publish('2026-01-02');
  const before = filesOfLake();
  const done = await place.run('unpublish', 'trees', '--date', '2026-01-02', ...WHY);
  assert.equal(done.exitCode, 0, done.stderr);
  assert.equal(
    done.stdout,
    [
      'trees 2026-01-02 is unpublished.',
      '2026-01-02 is not published any more.',
      'The newest snapshot is 2026-01-01.',
      'No file was removed: `longhaul sweep --unpublished-after 30d` does that.\n',
    ].join('\n'),
  );
  assert.deepEqual(await rows(), [{ x: 11 }]);
  assert.deepEqual(await rows('--as-of', '2026-01-02'), [{ x: 11 }]);
  const datasets = await place.run('datasets', '--json');
  assert.match(datasets.stdout, /"snapshots":1,"last":\{"ingestDate":"2026-01-01"/);
  const verified = await place.run('verify', 'trees', '--date', '2026-01-02');
  assert.match(
    verified.stderr,
    /^NOT_PUBLISHED: .* for 2026-01-02\. 2026-01-02: Unpublished \S+ \S+ -0[67]:00 by \S+@\S+: a test file$/m,
  );
  const status = await place.run('status');
  assert.match(status.stdout, /^trees 2026-01-02: Unpublished .*: a test file$/m);
  const json = JSON.parse((await place.run('status', '--json')).stdout) as {
    datasets: { last: { ingestDate: string }; unpublished: { reason: string }[] }[];
  };
  const [trees] = json.datasets;
  assert.deepEqual(
    [trees?.last.ingestDate, trees?.unpublished.map(({ reason }) => reason)],
    ['2026-01-01', ['a test file']],
  );
  const after = filesOfLake();
  const tombstone = after.filter((file) => !before.includes(file));
  assert.deepEqual(tombstone.length, after.length - before.length);
  assert.match(tombstone.join(), /ingest_date=2026-01-02\/_manifest\.unpublished\.json$/);
});

function filesOfLake(): string[] {
  const entries = readdirSync(join(place.cwd, 'data'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => {
    const path = join(entry.parentPath, entry.name);
    return `${crc32(readFileSync(path))} ${path}`;
  });
}

test('the JSON says what was withdrawn, when, by whom, and what is published now; twice is no error', async () => {
  await publish('2026-01-01');
  await publish('2026-01-01', 2);
  const run = async (...argv: string[]): Promise<Unpublished> => {
    const done = await place.run('unpublish', 'trees', '--date', '2026-01-01', '--json', ...argv);
    assert.equal(done.exitCode, 0, done.stdout);
    return JSON.parse(done.stdout) as Unpublished;
  };
  const { by, unpublishedAt, ...done } = await run(...WHY);
  assert.match(by, /.@./);
  assert.ok(Date.now() - Date.parse(unpublishedAt) < 600_000);
  assert.deepEqual(done, {
    ...{ dataset: 'trees', ingestDate: '2026-01-01', revision: 2, status: 'unpublished' },
    ...{ reason: 'a test file', withdrawn: [{ ingestDate: '2026-01-01', revision: 2 }] },
    dayIsNow: { ingestDate: '2026-01-01', revision: 1 },
    latestIsNow: { ingestDate: '2026-01-01', revision: 1 },
  });
  assert.deepEqual(await rows(), [{ x: 11 }]);
  const again = await run('--reason', 'once more');
  assert.deepEqual(
    [again.status, again.withdrawn, again.reason, again.unpublishedAt],
    ['already-unpublished', [], 'a test file', unpublishedAt],
  );
  const words = await place.run('unpublish', 'trees', '--date', '2026-01-01', ...WHY);
  assert.match(words.stdout, /^trees 2026-01-01 r2 was unpublished before\. Unpublished .*file$/m);
});

test('a day that a later one carries is refused; --with-later takes both', async () => {
  await publish('2026-01-01');
  await publish('2026-01-02', 1, '2026-01-01');
  const argv = ['unpublish', 'trees', '--date', '2026-01-01', ...WHY];
  const refused = await place.run(...argv);
  assert.equal(refused.exitCode, 8);
  assert.match(
    refused.stderr,
    /^SNAPSHOT_CARRIED: Later days use files of trees 2026-01-01 .*: 2026-01-02/,
  );
  assert.match(refused.stderr, /--with-later/);
  assert.deepEqual(await rows(), [{ x: 11 }]);
  const done = await place.run(...argv, '--with-later');
  assert.match(done.stdout, /^Unpublished with it: 2026-01-02\.$/m);
  assert.match(done.stdout, /^Nothing of trees is published any more\.$/m);
  const verified = await place.run('verify', 'trees');
  assert.match(verified.stderr, /with 2026-01-01, which it carries: a test file/);
});

test('a tombstone that is damaged counts all the same, and is named by who shows it', async () => {
  await publish('2026-01-01');
  await publish('2026-01-02');
  await place.run('unpublish', 'trees', '--date', '2026-01-02', ...WHY);
  const store = new DiskStore(join(place.cwd, 'data', 'takehome-converted'));
  await store.put('trees/ingest_date=2026-01-02/_manifest.unpublished.json', '{}');
  assert.deepEqual(await rows(), [{ x: 11 }]);
  const status = await place.run('status');
  assert.equal(status.exitCode, 6);
  assert.match(
    status.stderr,
    /^MANIFEST_UNREADABLE: .*_manifest\.unpublished\.json cannot be read/,
  );
});

for (const [argv, code, exitCode] of [
  [['trees', '--date', '2026-01-09', ...WHY], 'NOT_PUBLISHED', 2],
  [['trees', '--date', '2026-01-01', '--revision', '7', ...WHY], 'NOT_PUBLISHED', 2],
  [['trees', '--date', '2026-02-30', ...WHY], 'NAME_INVALID', 2],
  [['../x', '--date', '2026-01-01', ...WHY], 'NAME_INVALID', 2],
  [['trees', '--date', '2026-01-01'], 'USAGE', 2],
  [['trees', '--date', '2026-01-01', '--reason', ' '], 'USAGE', 2],
  [['trees', ...WHY], 'USAGE', 2],
  [['trees', '--date', '2026-01-01', '--revision', '0', ...WHY], 'USAGE', 2],
] as const) {
  test(`longhaul unpublish ${argv.join(' ')} ends with ${code}`, async () => {
    await publish('2026-01-01');
    const done = await place.run('unpublish', ...argv);
    assert.equal(done.exitCode, exitCode);
    assert.ok(done.stderr.startsWith(`${code}: `), done.stderr);
    assert.deepEqual(await rows(), [{ x: 11 }]);
  });
}
