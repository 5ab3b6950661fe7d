import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type { SourceEntry } from '../../src/model/manifest.ts';
import { entryOf } from '../helpers/manifests.ts';
import { TinyLake, type TinySource } from './tiny-lake.ts';

let lake: TinyLake;
before(async () => {
  lake = await TinyLake.create();
});
after(async () => {
  await lake.remove();
});

function sourceOf(id: string, n: number): TinySource {
  return { id, columns: [{ name: 'n', type: 'BIGINT' }], select: `SELECT ${n}::BIGINT AS n` };
}

void test('a query as of a day sees what was published up to it: of a day without a snapshot, the one before', async () => {
  await lake.publish('trees', '2026-01-02', [sourceOf('a', 2)]);
  await lake.publish('trees', '2026-01-04', [sourceOf('a', 4), sourceOf('b', 40)]);
  await lake.publish('trees', '2026-01-04', [sourceOf('a', 44), sourceOf('b', 40)], 2);
  const asOf = async (day: string, view = 'trees') =>
    await lake.rows(`SELECT source, n, ingest_date FROM ${view} ORDER BY n`, day);
  const second = { source: 'a', n: 2, ingest_date: '2026-01-02' };
  assert.deepEqual(await asOf('2026-01-02'), [second]);
  assert.deepEqual(await asOf('2026-01-03'), [second]);
  assert.deepEqual(await asOf('2026-01-03', 'trees_history'), [second]);
  const fourth = [
    { source: 'b', n: 40, ingest_date: '2026-01-04' },
    { source: 'a', n: 44, ingest_date: '2026-01-04' },
  ];
  assert.deepEqual(await asOf('2026-01-04'), fourth);
  assert.deepEqual(await asOf('2026-11-01', 'trees_history'), [second, ...fourth]);
});

void test('a view that there was not yet is unknown, and the hint says from which day on it is there', async () => {
  await lake.publish('early', '2026-01-01', [sourceOf('a', 1)]);
  await lake.publish('later', '2026-01-09', [sourceOf('a', 1)]);
  const failed = async (day: string) =>
    await lake.rows('SELECT * FROM later', day).catch((error: unknown) => error);
  const error = (await failed('2026-01-01')) as { code: string; details: { hint: string } };
  assert.equal(error.code, 'QUERY_FAILED');
  assert.match(error.details.hint, /^On 2026-01-01 the views were early; each has/);
  assert.match(error.details.hint, /later is there from 2026-01-09 on\./);
  const before = (await failed('2025-12-31')) as { details: { hint: string } };
  assert.match(before.details.hint, /^On 2025-12-31 nothing was published yet\. /);
  const tables = (await lake.rows('SHOW TABLES', '2026-01-01')) as { name: string }[];
  assert.deepEqual(
    tables.map(({ name }) => name),
    ['early', 'early_history'],
  );
});

/** States that a source may have on a day. */
const SOURCE_DAY = fc.constantFrom('new', 'unchanged', 'missing', 'left');

void test('whatever sources did, a lake as of a day is the lake that ended with that day', async () => {
  let datasets = 0;
  const days = fc.array(fc.tuple(SOURCE_DAY, SOURCE_DAY), { minLength: 2, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(days, async (steps) => {
      datasets += 1;
      const dataset = `d${datasets}`;
      const whole = await published(dataset, steps);
      for (const [index, { ingestDate }] of whole.entries()) {
        const cut = `${dataset}_cut${index}`;
        for (const { ingestDate: day, entries } of whole.slice(0, index + 1)) {
          await lake.publishEntries({ dataset: cut, ingestDate: day, revision: 1 }, entries);
        }
        for (const kind of ['', '_history']) {
          const rows = async (name: string, asOf?: string): Promise<unknown[]> =>
            await lake.rows(`SELECT * FROM ${name}${kind} ORDER BY ALL`, asOf);
          assert.deepEqual(await rows(dataset, ingestDate), await rows(cut));
        }
      }
    }),
    { numRuns: 8 },
  );
});

type SourceDay = 'new' | 'unchanged' | 'missing' | 'left';

/** Publishes one snapshot for each step, with the sources `a` and `b`. */
async function published(
  dataset: string,
  steps: readonly (readonly SourceDay[])[],
): Promise<{ ingestDate: string; entries: SourceEntry[] }[]> {
  const last = new Map<string, SourceEntry>();
  const snapshots = [];
  for (const [index, step] of steps.entries()) {
    const ingestDate = `2026-01-0${index + 1}`;
    const made = await lake.publish(`${dataset}_files`, ingestDate, [
      sourceOf('a', index * 10),
      sourceOf('b', index * 10 + 1),
    ]);
    const entries = step.flatMap((what, at): SourceEntry[] => {
      const entry = made.sources[at];
      assert.ok(entry);
      const { id } = entry;
      if (what === 'left') return [];
      if (what === 'missing') return [entryOf({ id, status: 'missing' })];
      const before = last.get(id);
      if (what === 'unchanged' && before) return [{ ...before, status: 'unchanged' }];
      last.set(id, entry);
      return [entry];
    });
    await lake.publishEntries({ dataset, ingestDate, revision: 1 }, entries);
    snapshots.push({ ingestDate, entries });
  }
  return snapshots;
}
