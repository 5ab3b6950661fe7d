import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { publishSnapshot } from '../../src/lake/publish.ts';
import { unpublish } from '../../src/lake/unpublish.ts';
import type { LonghaulError } from '../../src/model/errors.ts';
import { previousSnapshot } from '../../src/storage/source-results.ts';
import { dyingAt } from '../helpers/dying-lake.ts';
import { scheduled } from '../helpers/scheduled-store.ts';
import { latestOfEachSource, newestRevisions } from '../../src/lake/catalogue.ts';
import { firstKeptDate } from '../../src/model/sweep.ts';
import { landingManifestKey, rawRemovalKey } from '../../src/model/layout.ts';
import { revisionText, type SnapshotManifest } from '../../src/model/manifest.ts';
import { listRevisions, listSnapshots, readSnapshot } from '../../src/storage/manifests.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { DATASET, keepOnly, KeptLake, sourceOf, type SourceState } from './kept-lake.ts';

const DAYS = ['2026-01-01', '2026-01-02', '2026-01-03', '2026-01-04', '2026-01-05'] as const;
const [FIRST, SECOND, THIRD, FOURTH] = DAYS;
/** The last of the days is 2 days old on this date. */
const NOW = '2026-01-07';

async function withLake(body: (lake: KeptLake) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => await body(new KeptLake(folder)));
}

async function published(lake: KeptLake): Promise<string[]> {
  return (await listSnapshots(lake.converted, DATASET)).map(revisionText);
}

void test('a day that is older than the dataset keeps days is gone, manifests and all; one that is as old stays', async () => {
  await withLake(async (lake) => {
    await lake.publish(FIRST, { a: 'new' });
    await lake.publish(FIRST, { a: 'new' });
    await lake.publish(SECOND, { a: 'new' });
    await lake.publish(THIRD, { a: 'new' });
    const before = await lake.files();
    await keepOnly(lake, { days: 5 }, { now: NOW });
    assert.deepEqual(await published(lake), [SECOND, THIRD]);
    assert.deepEqual(
      await lake.files(),
      before.filter((key) => !key.includes(`=${FIRST}/`)),
    );
  });
});

void test('the last day stays whatever its age, with its raw files, and so does what it carries', async () => {
  await withLake(async (lake) => {
    await lake.publish(FIRST, { a: 'new', b: 'new' });
    await lake.publish(SECOND, { a: 'unchanged', b: 'new' });
    await keepOnly(lake, { days: 1, rawDays: 1 }, { now: NOW });
    assert.deepEqual(await published(lake), [SECOND]);
    const files = await lake.files();
    const ofFirst = files.filter((key) => key.includes(`=${FIRST}/`));
    const source = `d/ingest_date=${FIRST}/source=a`;
    assert.deepEqual(
      ofFirst,
      [
        `d/ingest_date=${FIRST}/_manifest.ended.json`,
        `d/ingest_date=${FIRST}/_manifest.json`,
        `${source}/_source.json`,
        `${source}/part-01234567-89abcdef-00000.parquet`,
        `${source}/x.csv`,
        `${source}/x.csv.manifest.json`,
        `d/ingest_date=${FIRST}/source=b/_source.json`,
      ].toSorted(),
    );
    // When no snapshot carries the day any more, the sweep removes all of it and its number is free again.
    await lake.publish(FOURTH, { a: 'new', b: 'new' });
    await keepOnly(lake, { days: 3 }, { now: NOW });
    assert.deepEqual(await published(lake), [FOURTH]);
    assert.ok((await lake.files()).every((key) => key.includes(`=${FOURTH}/`)));
  });
});

void test('a day stays from which a kept one shows a source that its publisher did not have any more', async () => {
  await withLake(async (lake) => {
    await lake.publish(FIRST, { a: 'new', b: 'new' });
    await lake.publish(SECOND, { a: 'new', b: 'missing' });
    await lake.publish(FOURTH, { a: 'new', b: 'missing' });
    await keepOnly(lake, { days: 3 }, { now: NOW });
    assert.deepEqual(await published(lake), [FIRST, FOURTH]);
  });
});

void test('what a kept day carries of an ended one is no withdrawn version, until someone withdraws it', async () => {
  await withLake(async (lake) => {
    await lake.publish(FIRST, { a: 'new', b: 'new' });
    await lake.publish(SECOND, { a: 'new', b: 'missing' });
    await lake.publish(FOURTH, { a: 'unchanged', b: 'missing' });
    await keepOnly(lake, { days: 3 }, { now: NOW });
    assert.deepEqual(await published(lake), [FIRST, FOURTH]);
    const why = { dataset: DATASET, reason: 'a test file', by: 'ana@host' };
    const { withdrawn } = await unpublish(lake, { ...why, ingestDate: FIRST, withLater: false });
    assert.deepEqual(withdrawn.map(revisionText), [FIRST]);
    const ended = { ...why, ingestDate: SECOND };
    await assert.rejects(unpublish(lake, { ...ended, withLater: false }), {
      code: 'SNAPSHOT_CARRIED',
    });
    await unpublish(lake, { ...ended, withLater: true });
    assert.deepEqual(await published(lake), []);
  });
});

void test('raw files go that no day of so many days has, with a record; Parquet stays', async () => {
  await withLake(async (lake) => {
    await lake.publish(FIRST, { a: 'new', b: 'new' });
    await lake.publish(SECOND, { a: 'new', b: 'unchanged' });
    await lake.publish(THIRD, { a: 'new', b: 'new' });
    const removed = await keepOnly(lake, { rawDays: 5 }, { now: NOW });
    const rawKey = `d/ingest_date=${FIRST}/source=a/x.csv`;
    assert.deepEqual(removed, [`raw ${landingManifestKey(rawKey)}`, `raw ${rawKey}`]);
    const files = await lake.files();
    assert.ok(files.includes(rawRemovalKey(rawKey)));
    assert.equal(files.filter((key) => key.endsWith('.parquet')).length, 5);
    assert.deepEqual(await keepOnly(lake, { rawDays: 5 }, { now: NOW }), []);
  });
});

/** Manifests that a reader of each published day sees. */
async function contents(lake: KeptLake): Promise<Map<string, SnapshotManifest[]>> {
  const refs = await newestRevisions(lake.converted, DATASET);
  const seen = new Map<string, SnapshotManifest[]>();
  for (const [index, ref] of refs.entries()) {
    const manifests = await latestOfEachSource(refs.slice(0, index + 1), async (each) =>
      readSnapshot(lake.converted, each),
    );
    // A day that only shows sources of other days has no entry of its own.
    seen.set(
      ref.ingestDate,
      manifests.filter(({ sources }) => sources.length > 0),
    );
  }
  return seen;
}

async function assertReadsRightly(
  lake: KeptLake,
  before: Awaited<ReturnType<typeof contents>>,
  rule: { days: number; rawDays: number },
): Promise<void> {
  const now = new Date(`${NOW}T12:00:00Z`);
  const after = await contents(lake);
  for (const [day, seen] of after) assert.deepEqual(seen, before.get(day), day);
  const last = [...before.keys()].at(-1);
  for (const day of before.keys()) {
    const isKept = day === last || day >= firstKeptDate(now, 'UTC', rule.days);
    assert.ok(!isKept || after.has(day), `${day} is gone`);
  }
  const files = new Set(await lake.files());
  for (const ref of await listSnapshots(lake.converted, DATASET)) {
    const { ingestDate, sources } = await readSnapshot(lake.converted, ref);
    const hasRaw = ingestDate === last || ingestDate >= firstKeptDate(now, 'UTC', rule.rawDays);
    for (const { rawKey, parquet } of sources) {
      for (const { key } of parquet) assert.ok(files.has(key), `${ingestDate} lacks ${key}`);
      if (rawKey === '') continue;
      const isThere = files.has(rawKey) && files.has(landingManifestKey(rawKey));
      assert.ok(
        isThere || (!hasRaw && files.has(rawRemovalKey(rawKey))),
        `${ingestDate}: ${rawKey}`,
      );
    }
  }
}

const STATE = fc.constantFrom<SourceState>('new', 'unchanged', 'unchanged', 'missing');
const STEP = fc.record({
  day: fc.constantFrom(...DAYS),
  a: STATE,
  b: STATE,
  isWithdrawn: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
});

void test('whatever days came: no kept day loses a file or a source, the last one stays, a dry run says what goes, and a sweep that died is completed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(STEP, { minLength: 1, maxLength: 10 }),
      fc.record({ days: fc.integer({ min: 1, max: 7 }), rawDays: fc.integer({ min: 1, max: 7 }) }),
      fc.nat(12),
      async (steps, rule, diesAt) => {
        await withLake(async (lake) => {
          for (const { day, a, b, isWithdrawn } of steps) {
            const at = await lake.publish(day, { a, b });
            const refs = await listSnapshots(lake.converted, DATASET);
            // Only the newest snapshot is withdrawn, because no other snapshot carries its files.
            if (isWithdrawn && revisionText(refs.at(-1) ?? at) === revisionText(at)) {
              await lake.withdraw(at);
            }
          }
          const before = await contents(lake);
          const dry = await keepOnly(lake, rule, { now: NOW, dryRun: true });
          assert.deepEqual(await keepOnly(lake, rule, { now: NOW, dryRun: true }), dry);
          const files = await lake.files();
          const sweep = keepOnly(dyingAt(lake, diesAt), rule, { now: NOW });
          const removed = await sweep.catch(() => undefined);
          if (removed) assert.deepEqual(removed, dry);
          await assertReadsRightly(lake, before, rule);
          await keepOnly(lake, rule, { now: NOW });
          await assertReadsRightly(lake, before, rule);
          assert.deepEqual(await keepOnly(lake, rule, { now: NOW }), []);
          const gone = files.filter((key) => dry.some((item) => item.endsWith(` ${key}`)));
          const left = new Set(await lake.files());
          for (const key of gone) assert.ok(!left.has(key), `${key} is left`);
          // The sweep leaves only the files of an ended day that another day carries.
          for (const ref of await listRevisions(lake.converted, DATASET)) {
            if (ref.hasEnded) assert.ok([...left].some((key) => isFileOf(key, ref.ingestDate)));
          }
        });
      },
    ),
    { numRuns: 30 },
  );
});

void test('a day that is published from one that ends in the same moment, in whatever order: it fails, or has its files', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), async (scheduler) => {
      await withLake(async (lake) => {
        await lake.publish(FIRST, { a: 'new' });
        await lake.publish(FOURTH, { a: 'new' });
        const at = { dataset: DATASET, ingestDate: SECOND, revision: 1 };
        const unchanged = (await previousSnapshot(lake.converted, at))?.sources ?? [];
        const run = {
          runId: 'r1',
          engine: 'duckdb',
          accept: true,
          missing: [],
          unchanged,
        } as const;
        const dataset = { name: DATASET, timeZone: 'UTC', sources: [sourceOf('a')] };
        const [raw, converted] = [lake.raw, lake.converted].map((each) =>
          scheduled(each, scheduler),
        );
        assert.ok(raw && converted);
        const both = Promise.allSettled([
          publishSnapshot({ raw, converted }, { ...at, ...run, missing: [], dataset }),
          keepOnly({ raw, converted }, { days: 5 }, { now: NOW }),
        ]);
        await scheduler.waitFor(both);
        const [publication, sweep] = await both;
        // The operator tries the sweep again if it did not end.
        if (sweep.status === 'rejected') await keepOnly(lake, { days: 5 }, { now: NOW });
        const isDayThere = publication.status === 'fulfilled';
        assert.deepEqual(await published(lake), isDayThere ? [SECOND, FOURTH] : [FOURTH]);
        if (!isDayThere) {
          const { code } = publication.reason as LonghaulError;
          assert.ok(['UNPUBLISHED_MEANWHILE', 'LAKE_CORRUPT'].includes(code), code);
        }
        await assertReadsRightly(lake, await contents(lake), { days: 5, rawDays: 99 });
      });
    }),
    { numRuns: 60 },
  );
});

function isFileOf(key: string, ingestDate: string): boolean {
  return key.includes(`=${ingestDate}/`) && key.endsWith('.parquet');
}
