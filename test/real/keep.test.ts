import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import type { TableDescription } from '../../src/iceberg/describe-table.ts';
import { readNewest, tablePrefix } from '../../src/iceberg/metadata.ts';
import { readSnapshotFiles } from '../../src/iceberg/snapshot.ts';
import { ingestDateAt } from '../../src/model/dates.ts';
import type { SweepResult } from '../../src/model/sweep.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { withLab, type Lab } from '../helpers/lab.ts';
import { bucketContents, withS3Lab } from '../helpers/s3-lab.ts';

const ZONE = 'America/Denver';
const DAY_MS = 86_400_000;
/** 40, 20 and 2 days ago. Each is far from every limit, even if midnight passes during the test. */
const [FIRST, SECOND, THIRD] = [40, 20, 2].map(daysAgo) as [string, string, string];
const KEEP = { raw: '10d', days: 30 };

interface Run {
  status: string;
  sources: { id: string; status: string }[];
}

function daysAgo(days: number): string {
  return ingestDateAt(new Date(Date.now() - days * DAY_MS), ZONE);
}

function csv(rows: number): string {
  return `n\n${Array.from({ length: rows }, (_, n) => n).join('\n')}\n`;
}

async function ingest(lab: Lab, day: string, b: number): Promise<Record<string, string>> {
  lab.origin.set('/b.csv', { body: csv(b), etag: `"${b}"` });
  const { json, stdout } = await lab.json<Run>(['ingest', 'trees', '--date', day, '--as-if']);
  assert.ok(json.sources, stdout);
  return Object.fromEntries(json.sources.map(({ id, status }) => [id, status]));
}

async function sweep(lab: Lab, ...argv: string[]): Promise<string[]> {
  const { json, stdout } = await lab.json<SweepResult>(['sweep', ...argv]);
  assert.ok(json.items, stdout);
  const outcome = argv.includes('--dry-run') ? 'would-remove' : 'removed';
  for (const item of json.items) assert.equal(item.outcome, outcome, stdout);
  return json.items.map(({ kind, zone, key }) => `${kind} takehome-${zone}/${key}`);
}

async function counted(lab: Lab, sql: string, ...more: string[]): Promise<string> {
  const { stdout, stderr } = await lab.run(['query', sql, '--format', 'csv', ...more]);
  return stdout === '' ? stderr : stdout.trim().split('\n').slice(1).join(' ');
}

async function tags(lab: Lab): Promise<Record<string, number>> {
  const { json } = await lab.json<TableDescription>(['table', 'trees']);
  return Object.fromEntries(json.tags.map(({ tag, rows }) => [tag, rows]));
}

/** Publishes three days. Source `a` never changes after the first day. Source `b` changes each day. */
async function publishThreeDays(lab: Lab): Promise<void> {
  lab.origin.set('/a.csv', { body: csv(100), etag: '"a"' });
  const sources = ['a', 'b'].map((id) => ({ id, address: lab.origin.address(`/${id}.csv`) }));
  const datasets = { trees: { time_zone: ZONE, keep: KEEP, sources } };
  await writeFile(join(lab.folder, 'datasets.yaml'), stringify({ datasets }));
  await ingest(lab, FIRST, 10);
  await ingest(lab, SECOND, 20);
  assert.deepEqual(await ingest(lab, THIRD, 30), { a: 'unchanged', b: 'converted' });
}

async function assertKept(lab: Lab, files: () => Promise<string[]>): Promise<void> {
  await publishThreeDays(lab);
  const before = await files();
  const isOfDay = (path: string, day: string): boolean => path.includes(`ingest_date=${day}/`);
  const day = `takehome-converted/trees/ingest_date=${FIRST}/`;

  // Readers may still use the day's files, so only a later sweep removes them.
  const first = await sweep(lab, '--dry-run');
  assert.deepEqual(first[0], `day ${day}`);
  assert.ok(first.every((item) => !item.startsWith('ended ')));
  const dry = await sweep(lab, '--older-than', '0', '--dry-run');
  assert.deepEqual(await files(), before);
  const done = await sweep(lab, '--older-than', '0');
  assert.deepEqual(done, dry);

  const after = await files();
  const gone = before.filter((path) => !after.includes(path));
  const said = done.map((item) => item.slice(item.indexOf(' ') + 1));
  assert.deepEqual(gone, said.filter((path) => !path.endsWith('/')).toSorted());
  const [ended, raw] = [FIRST, SECOND].map((each) => gone.filter((path) => isOfDay(path, each)));
  assert.ok(
    ended?.every((path) => path.includes('/source=b/')),
    String(ended),
  );
  assert.equal(ended?.length, 3);
  const rawFile = `takehome-raw/trees/ingest_date=${SECOND}/source=b/b.csv`;
  assert.deepEqual(raw, [rawFile, `${rawFile}.manifest.json`]);
  assert.deepEqual(
    after.filter((path) => !before.includes(path) && !path.includes('/_iceberg/')),
    [`${day}_manifest.ended.json`, `${rawFile}.removed.json`],
  );

  assert.equal(await counted(lab, 'SELECT count(*) FROM trees'), '130');
  assert.equal(await counted(lab, 'SELECT count(*) FROM trees_history'), '250');
  assert.equal(await counted(lab, 'SELECT count(*) FROM trees', '--as-of', SECOND), '120');
  assert.match(await counted(lab, 'SELECT 1 FROM trees', '--as-of', FIRST), /^QUERY_/);
  assert.deepEqual(await tags(lab), { [SECOND]: 120, [THIRD]: 130 });
  for (const each of [SECOND, THIRD]) {
    const { json, stdout } = await lab.json<{ verified: boolean }>([
      'verify',
      'trees',
      '--date',
      each,
    ]);
    assert.equal(json.verified, true, stdout);
  }
  const verified = await lab.run(['verify', 'trees', '--date', SECOND]);
  assert.match(verified.stdout, /^b: keep\.raw removed the raw file at /m);
  const of = await lab.run(['verify', 'trees', '--date', FIRST]);
  assert.match(of.stderr, /keeps 30 days: it ended at /);
  assert.deepEqual(await sweep(lab, '--older-than', '0'), []);
}

/** Ingests a later day on which the publisher has the bytes of the second day. */
async function assertNotDownloadedAgain(lab: Lab): Promise<void> {
  const asked = lab.origin.requestsTo('/b.csv').length;
  assert.deepEqual(await ingest(lab, daysAgo(15), 20), { a: 'unchanged', b: 'unchanged' });
  // Only the probe asks the publisher.
  assert.equal(lab.origin.requestsTo('/b.csv').length, asked + 1);
  const converted = await lab.run(['convert', 'trees', '--date', SECOND, '--again']);
  assert.match(
    converted.stderr,
    /NOT_LANDED.*keep\.raw removed it at.*ingest trees --date \S+ --again/s,
  );
}

/** Checks that every file that the newest metadata names is there. */
async function assertTableWhole(lab: Lab): Promise<void> {
  const converted = new DiskStore(join(lab.lakeDir, 'takehome-converted'));
  const prefix = tablePrefix('trees');
  const newest = await readNewest(converted, prefix);
  assert.ok(newest);
  for (const snapshot of newest.metadata.snapshots) {
    const { entries } = await readSnapshotFiles({ converted, prefix }, snapshot);
    for (const {
      data_file: { file_path: path },
    } of entries) {
      const key = path.slice(converted.uri('').length).replace(/^\//, '');
      assert.ok((await converted.size(key)) !== undefined, path);
    }
  }
}

describe('a dataset that keeps its days for so long', () => {
  it('loses what only older days have, and its raw files; the rest, the last day and the table read as before', async () => {
    await withLab({}, async (lab) => {
      await assertKept(lab, async () => await lab.lakeFiles());
      await assertTableWhole(lab);
      await assertNotDownloadedAgain(lab);
      const { json } = await lab.json<{ datasets: { keep: string }[] }>(['datasets']);
      assert.deepEqual(
        json.datasets.map(({ keep }) => keep),
        ['30 days, raw 10d'],
      );
    });
  });

  it('keeps everything while a run of it is under way', async () => {
    // The publisher holds an answer. The worker must not take this for a stall.
    await withLab({ env: { HTTP_STALL_TIMEOUT_SECONDS: '120' } }, async (lab) => {
      await publishThreeDays(lab);
      let letGo = (): void => undefined;
      const until = new Promise<void>((resolve) => (letGo = resolve));
      lab.origin.set('/b.csv', (_, { range }) => ({
        ...{ body: csv(40), etag: '"40"' },
        // The publisher answers the probe's request at once.
        ...(range?.startsWith('bytes=0-') === true
          ? {}
          : { pauseAfterBytes: { bytes: 10, until } }),
      }));
      const running = lab.start(['ingest', 'trees', '--date', daysAgo(1), '--as-if', '--json']);
      await running.says(/trees a: done/);
      const before = await lab.lakeFiles();
      const { json } = await lab.json<SweepResult>(['sweep', '--older-than', '0']);
      const ofKeep = json.items.filter(({ kind }) => kind === 'day' || kind === 'raw');
      assert.deepEqual(
        ofKeep.map(({ kind, outcome }) => `${kind} ${outcome}`),
        ['day kept-live', ...['raw', 'raw'].map((kind) => `${kind} kept-live`)],
      );
      assert.deepEqual(await lab.lakeFiles(), before);
      letGo();
      assert.equal((await running.ended).code, 0);
      assert.deepEqual(await tags(lab), {
        [FIRST]: 110,
        [SECOND]: 120,
        [THIRD]: 130,
        [daysAgo(1)]: 140,
      });
    });
  });

  it('does so in S3', async () => {
    await withS3Lab({}, async (lab, s3) => {
      await assertKept(lab, async () => (await bucketContents(s3)).keys);
    });
  });
});
