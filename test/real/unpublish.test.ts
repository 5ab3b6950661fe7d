import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Unpublished } from '../../src/lake/unpublish.ts';
import type { SweepResult } from '../../src/model/sweep.ts';
import { startLab, type Lab } from '../helpers/lab.ts';
import { withS3Lab } from '../helpers/s3-lab.ts';

interface Run {
  status: string;
  revision: number;
  runId: string;
  sources: { id: string; status: string; raw: string }[];
}

interface Failure {
  error: { code: string; message: string; hint: string };
}

const [FIRST, SECOND] = ['2026-11-22', '2026-11-23'] as const;

function csv(rows: number): string {
  return `n\n${Array.from({ length: rows }, (_, n) => n).join('\n')}\n`;
}

async function ingest<T = Run>(lab: Lab, dataset: string, day: string, ...more: string[]) {
  return await lab.json<T>(['ingest', dataset, '--date', day, '--as-if', ...more]);
}

async function unpublish(lab: Lab, dataset: string, day: string, ...more: string[]) {
  const why = ['--reason', 'a test file'];
  return await lab.json<Unpublished>(['unpublish', dataset, '--date', day, ...why, ...more]);
}

async function counted(lab: Lab, sql: string, ...more: string[]): Promise<unknown> {
  const { stdout } = await lab.run(['query', sql, '--format', 'csv', ...more]);
  return stdout.trim().split('\n').slice(1).join(' ');
}

async function assertPublishedAgain(lab: Lab): Promise<void> {
  lab.origin.set('/a.csv', { body: csv(100), etag: '"1"' });
  await lab.datasets({ trees: { a: lab.origin.address('/a.csv') } });
  await ingest(lab, 'trees', FIRST);
  lab.origin.set('/a.csv', { body: csv(90), etag: '"2"' });
  const second = await ingest(lab, 'trees', SECOND);
  assert.equal(second.json.status, 'published');

  const done = await unpublish(lab, 'trees', SECOND);
  assert.deepEqual([done.code, done.json.status], [0, 'unpublished'], done.stdout);
  assert.deepEqual(done.json.latestIsNow, { ingestDate: FIRST, revision: 1 });
  const count = 'SELECT count(*) FROM trees';
  assert.equal(await counted(lab, count), '100');
  assert.equal(await counted(lab, 'SELECT count(*) FROM trees_history'), '100');
  const { stdout } = await lab.run(['show', second.json.runId]);
  assert.match(stdout, /^Unpublished .* by \S+@\S+: a test file$/m);

  // The publisher still has the same bytes. The run lands them again beside the withdrawn ones.
  const again = await ingest(lab, 'trees', SECOND);
  assert.deepEqual([again.json.status, again.json.revision], ['published', 2], again.stdout);
  assert.match(again.json.sources[0]?.raw ?? '', /2026-11-23\/_r2\/source=a\/a\.csv$/);
  assert.equal(await counted(lab, count), '90');
  assert.equal(await counted(lab, count, '--as-of', FIRST), '100');
  const verified = await lab.json<{ verified: boolean }>(['verify', 'trees']);
  assert.equal(verified.json.verified, true);

  const sweep = async (...argv: string[]): Promise<SweepResult> =>
    (await lab.json<SweepResult>(['sweep', '--older-than', '0', ...argv])).json;
  assert.equal((await sweep()).count, 0);
  assert.equal((await sweep('--unpublished-after', '1d')).count, 0);
  const dry = await sweep('--unpublished-after', '0', '--dry-run');
  assert.deepEqual(
    dry.items.map(({ kind, outcome }) => [kind, outcome]),
    [1, 2, 3].map(() => ['unpublished', 'would-remove']),
  );
  const swept = await sweep('--unpublished-after', '0');
  assert.deepEqual(
    swept.items.map(({ key, outcome }) => [key, outcome]),
    dry.items.map(({ key }) => [key, 'removed']),
  );
  for (const day of [FIRST, SECOND]) {
    const report = await lab.json<{ verified: boolean }>(['verify', 'trees', '--date', day]);
    assert.equal(report.json.verified, true, report.stdout);
  }
  assert.equal(await counted(lab, 'SELECT count(*) FROM trees_history'), '190');
  assert.equal((await sweep('--unpublished-after', '0')).count, 0);
}

describe('a day that was unpublished', () => {
  let lab: Lab & { close(): Promise<void> };
  before(async () => {
    // The publisher holds an answer. The worker must not take this for a stall.
    lab = await startLab({ env: { HTTP_STALL_TIMEOUT_SECONDS: '120' } });
  });
  after(async () => await lab.close());

  it('is gone for readers, comes again as the next revision, and its files go with a sweep that is told so', async () => {
    await assertPublishedAgain(lab);
  });

  it('is not carried by a run that is under way: it says so, and its retry publishes', async () => {
    let letGo = (): void => undefined;
    const until = new Promise<void>((resolve) => (letGo = resolve));
    lab.origin.set('/held/a.csv', { body: csv(100), etag: '"1"' });
    lab.origin.set('/held/b.csv', { body: csv(50), etag: '"1"' });
    const address = (id: string): string => lab.origin.address(`/held/${id}.csv`);
    await lab.datasets({ held: { a: address('a'), b: address('b') } });
    await ingest(lab, 'held', FIRST);
    // The first request is the probe. The download waits. Meanwhile, the run finds source `a` unchanged.
    lab.origin.set('/held/b.csv', (_, { range }) => ({
      ...{ body: csv(60), etag: '"2"' },
      ...(range?.startsWith('bytes=0-') === true ? {} : { pauseAfterBytes: { bytes: 10, until } }),
    }));
    const more = ['--date', SECOND, '--as-if', '--json'];
    const running = lab.start(['ingest', 'held', ...more]);
    await running.says(/held a: done/);
    const done = await unpublish(lab, 'held', FIRST);
    assert.equal(done.code, 0, done.stdout);
    letGo();
    const { code, stdout } = await running.ended;
    const { error } = JSON.parse(stdout) as Failure;
    assert.deepEqual([code, error.code], [8, 'UNPUBLISHED_MEANWHILE'], stdout);
    assert.match(error.hint, /longhaul retry/);
    assert.match((await lab.run(['verify', 'held'])).stderr, /^NOT_PUBLISHED: /);
    const retried = await lab.json<Run>(['retry', `held/${SECOND}`]);
    assert.deepEqual([retried.json.status, retried.json.revision], ['published', 1]);
    assert.deepEqual(
      retried.json.sources.map(({ id, status }) => [id, status]),
      [
        ['a', 'converted'],
        ['b', 'converted'],
      ],
    );
    assert.equal(await counted(lab, 'SELECT count(*) FROM held'), '160');
  });
});

describe('a day of a lake in S3 that was unpublished', () => {
  it('is gone for readers, comes again as the next revision, and its files go with a sweep that is told so', async () => {
    await withS3Lab({}, async (lab) => await assertPublishedAgain(lab));
  });
});
