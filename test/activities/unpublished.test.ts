import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { unpublish } from '../../src/lake/unpublish.ts';
import type { LandedSource } from '../../src/model/run.ts';
import { listSnapshots } from '../../src/storage/manifests.ts';
import { finishedEntry } from '../../src/storage/source-results.ts';
import { FIRST_DAY, SECOND_DAY, withDay, type Day } from '../helpers/activity-day.ts';
import { startOrigin, type Origin } from '../helpers/origin.ts';
import { keepOnly } from '../storage/kept-lake.ts';

const CSV = 'id,text\n1,"a\nb"\n2,c\n';
const THIRD_DAY = '2026-11-25';

let origin: Origin;
before(async () => {
  origin = await startOrigin({});
});
after(async () => await origin.close());

async function withdraw(day: Day, ingestDate: string): Promise<void> {
  const why = { reason: 'a test file', by: 'ana@host', withLater: false };
  await unpublish(day, { dataset: 'd', ingestDate, ...why });
}

async function publishedDays(day: Day): Promise<string[]> {
  const refs = await listSnapshots(day.converted, 'd');
  return refs.map(({ ingestDate, revision }) => `${ingestDate} r${revision}`);
}

/** Asserts that a probe of the day finds the publisher's file as it was published last. */
async function unchanged(day: Day, ingestDate: string): Promise<LandedSource> {
  const { result } = await day.probe({ ingestDate });
  assert.equal(result?.status, 'unchanged');
  return result;
}

test('a day that was unpublished is landed again, from the same bytes, as its next revision', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(origin, async (day) => {
    await day.publish(await day.land());
    const before = await day.landings();
    await withdraw(day, FIRST_DAY);
    const next = { revision: 2 };
    assert.equal((await day.probe(next)).result, undefined);
    const landed = await day.land(next);
    assert.equal(landed.status, 'landed');
    assert.equal((await day.publish(landed, next)).status, 'published');
    assert.deepEqual(await day.landings(), [
      `d/ingest_date=${FIRST_DAY}/_r2/source=a/a.csv`,
      ...before,
    ]);
    assert.deepEqual(await publishedDays(day), [`${FIRST_DAY} r2`]);
  });
});

test("a conversion alone does not take an unpublished revision's landing", async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(origin, async (day) => {
    await day.publish(await day.land());
    await withdraw(day, FIRST_DAY);
    await assert.rejects(day.find({ revision: 2 }), { type: 'NOT_LANDED' });
  });
});

test('a run whose unchanged source is of a day that was unpublished meanwhile publishes nothing; the next one lands it', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(origin, async (day) => {
    await day.publish(await day.land());
    const next = { ingestDate: SECOND_DAY };
    const found = await unchanged(day, SECOND_DAY);
    await withdraw(day, FIRST_DAY);
    const failure = { type: 'UNPUBLISHED_MEANWHILE', nonRetryable: true };
    await assert.rejects(day.publishOnly(next, [found]), failure);
    assert.deepEqual(await publishedDays(day), []);
    assert.equal((await day.probe(next)).result, undefined);
    assert.equal((await day.publish(await day.land(next), next)).status, 'published');
    assert.deepEqual(await publishedDays(day), [`${SECOND_DAY} r1`]);
  });
});

test('an unchanged source is published as the version that it was unchanged from, also where another day came between', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(origin, async (day) => {
    await day.publish(await day.land());
    const found = await unchanged(day, THIRD_DAY);
    // A backfill publishes the day between the two.
    origin.set('/a.csv', { body: `${CSV}3,d\n`, etag: '"2"' });
    const between = { ingestDate: SECOND_DAY };
    await day.publish(await day.land(between), between);
    const third = { ingestDate: THIRD_DAY };
    await assert.rejects(day.publishOnly(third, [found]), { type: 'UNPUBLISHED_MEANWHILE' });
    assert.deepEqual(await publishedDays(day), [`${FIRST_DAY} r1`, `${SECOND_DAY} r1`]);
  });
});

test('an attempt to publish whose answer was lost stays published, whatever came between', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(origin, async (day) => {
    await day.publish(await day.land());
    const third = { ingestDate: THIRD_DAY };
    const found = await unchanged(day, THIRD_DAY);
    await day.publishOnly(third, [found]);
    origin.set('/a.csv', { body: `${CSV}3,d\n`, etag: '"2"' });
    const between = { ingestDate: SECOND_DAY };
    await day.publish(await day.land(between), between);
    assert.equal((await day.publishOnly(third, [found])).status, 'unchanged');
    assert.equal((await publishedDays(day)).length, 3);
  });
});

/** The second day has other settings. It is converted from the first day's landed file. */
async function convertFromFirstDay(day: Day) {
  await day.publish(await day.land());
  const source = { ...day.taskOf({}).source, overrides: { header: true } };
  const second = { ingestDate: SECOND_DAY, source };
  const { result } = await day.probe(second);
  assert.match(result?.rawKey ?? '', new RegExp(`^d/ingest_date=${FIRST_DAY}/`));
  const task = { ...day.taskOf(second), rawKey: result?.rawKey ?? '' };
  await day.convert(task);
  assert.ok(await finishedEntry(day.converted, task));
  return { second, task };
}

test('a source that was converted anew from an unpublished landing is not published, nor taken by a retry', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(origin, async (day) => {
    const { second, task } = await convertFromFirstDay(day);
    await withdraw(day, FIRST_DAY);
    await assert.rejects(day.publishOnly(second), { type: 'UNPUBLISHED_MEANWHILE' });
    assert.equal(await finishedEntry(day.converted, task), undefined);
    assert.deepEqual(await publishedDays(day), []);
  });
});

test('nor is one from a landing of a day that ended since and of which nothing is left', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(origin, async (day) => {
    const { second, task } = await convertFromFirstDay(day);
    origin.set('/a.csv', { body: `${CSV}3,d\n`, etag: '"2"' });
    const third = { ingestDate: THIRD_DAY, runId: randomUUID() };
    await day.publish(await day.land(third), third);
    await keepOnly(day, { days: 1 }, { now: THIRD_DAY });
    assert.deepEqual(await day.landings(), [`d/ingest_date=${THIRD_DAY}/source=a/a.csv`]);
    await assert.rejects(day.publishOnly(second), { type: 'UNPUBLISHED_MEANWHILE' });
    assert.equal(await finishedEntry(day.converted, task), undefined);
    assert.deepEqual(await publishedDays(day), [`${THIRD_DAY} r1`]);
  });
});

test('a revision that was published and unpublished while another run made it is not published by that run', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(origin, async (day) => {
    const landed = await day.land();
    await day.publish(landed);
    await withdraw(day, FIRST_DAY);
    const other = { runId: '99999999-7c3a-4a4e-9f4e-2f1f5a3f0c11' };
    await assert.rejects(day.publish(landed, other), {
      type: 'UNPUBLISHED_MEANWHILE',
      message: /unpublished again, while the run was under way: a test file/,
    });
    assert.deepEqual(await publishedDays(day), []);
  });
});
