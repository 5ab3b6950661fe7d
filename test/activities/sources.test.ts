import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SECOND_DAY, withDay } from '../helpers/activity-day.ts';
import { startOrigin, type Origin } from '../helpers/origin.ts';

const CSV = 'id,text\n1,"a\nb"\n2,c\n';

let origin: Origin;
before(async () => {
  origin = await startOrigin({});
});
after(async () => await origin.close());

test('a landing reports its bytes in heartbeats, and a later probe of that day finds it', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(origin, async (day) => {
    assert.equal((await day.probe()).result, undefined);
    const landed = await day.land();
    assert.deepEqual([landed.status, landed.records], ['landed', 2]);
    const { source, stage, bytes } = day.heartbeats.at(-1) ?? assert.fail('no heartbeat');
    assert.deepEqual([source, stage, bytes], ['a', 'land', CSV.length]);
    assert.deepEqual((await day.probe()).result, landed);
    assert.deepEqual(await day.find(), landed);
  });
});

test('the same version on the next day is unchanged, and is not landed', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(origin, async (day) => {
    const published = await day.publish(await day.land());
    assert.deepEqual([published.status, published.ledger.balanced], ['published', true]);
    const next = { ingestDate: SECOND_DAY };
    const { result } = await day.probe(next);
    assert.equal(result?.status, 'unchanged');
    assert.equal((await day.publishOnly(next, [result])).status, 'unchanged');
    await assert.rejects(day.find({ ingestDate: '2026-11-25' }), { type: 'NOT_LANDED' });
  });
});

test('the same bytes under a new version are unchanged too, and their second landing is deleted', async () => {
  origin.set('/a.csv', (request) => ({ body: CSV, etag: `"${request}"` }));
  await withDay(origin, async (day) => {
    await day.publish(await day.land());
    const before = await day.landings();
    const next = { ingestDate: SECOND_DAY };
    assert.equal((await day.probe(next)).result, undefined);
    assert.equal((await day.land(next)).status, 'unchanged');
    assert.deepEqual(await day.landings(), before);
  });
});

test('of two runs of a day that read other bytes, the second publishes nothing', async () => {
  origin.set('/a.csv', (request) => ({ body: `${CSV}${request},d\n`, etag: `"${request}"` }));
  await withDay(origin, async (day) => {
    const [one, other] = [await day.land(), await day.land()];
    await day.publish(one);
    const second = { runId: '99999999-7c3a-4a4e-9f4e-2f1f5a3f0c11' };
    assert.equal((await day.publish(one, second)).status, 'already-published');
    await assert.rejects(day.publish(other, second), { type: 'PUBLISHED_MEANWHILE' });
  });
});

test('a day says the address that its bytes came from, also where datasets.yaml has another by now', async () => {
  origin.set('/a.csv', { body: CSV, etag: '"1"' });
  await withDay(origin, async (day) => {
    const { url } = await day.land();
    const moved = { source: { ...day.taskOf({}).source, address: origin.address('/new/a.csv') } };
    const found = await day.find(moved);
    assert.equal(found.url, url);
    assert.equal((await day.publish(found, moved)).sources[0]?.url, url);
  });
});

test('a file that is not there fails with the code that the workflow decides by', async () => {
  await withDay(origin, async (day) => {
    origin.set('/a.csv', { status: 404 });
    await assert.rejects(day.probe(), { type: 'SOURCE_NOT_FOUND', nonRetryable: true });
  });
});
