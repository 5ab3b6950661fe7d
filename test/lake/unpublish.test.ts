import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newestRevisions } from '../../src/lake/catalogue.ts';
import { publishSnapshot } from '../../src/lake/publish.ts';
import { unpublish, type UnpublishInput } from '../../src/lake/unpublish.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { snapshotManifestKey } from '../../src/model/layout.ts';
import { carriedRevisions, revisionText } from '../../src/model/manifest.ts';
import {
  listRevisions,
  listSnapshots,
  readSnapshot,
  readTombstone,
} from '../../src/storage/manifests.ts';
import { previousSnapshot } from '../../src/storage/source-results.ts';
import type { Lake, Store } from '../../src/storage/store.ts';
import { snapshotJson } from '../helpers/manifests.ts';
import { scheduled, withMethods } from '../helpers/scheduled-store.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { DATASET, KeptLake, sourceOf } from '../storage/kept-lake.ts';

const DAYS = ['2026-01-01', '2026-01-02', '2026-01-03', '2026-01-04'] as const;
const [FIRST, SECOND, THIRD, FOURTH] = DAYS;

/** A lake of manifests only: no step here opens another file. */
class Manifests extends KeptLake {
  async unpublish(ingestDate: string, more: Partial<UnpublishInput> = {}) {
    return await unpublish(this, inputOf(ingestDate, more));
  }

  async published(): Promise<string[]> {
    return (await newestRevisions(this.converted, DATASET)).map(revisionText);
  }

  /** Asserts that no published snapshot carries files of an unpublished one. */
  async assertConsistent(): Promise<void> {
    const revisions = await listRevisions(this.converted, DATASET);
    const gone = new Set(revisions.filter((ref) => ref.isUnpublished).map(revisionText));
    for (const ref of await listSnapshots(this.converted, DATASET)) {
      for (const at of carriedRevisions(await readSnapshot(this.converted, ref))) {
        assert.ok(!gone.has(revisionText(at)), `${revisionText(ref)} carries ${revisionText(at)}`);
      }
    }
  }
}

function inputOf(ingestDate: string, more: Partial<UnpublishInput> = {}): UnpublishInput {
  const why = { reason: 'a test file', by: 'ana@host' };
  return { dataset: DATASET, ingestDate, ...why, withLater: false, ...more };
}

async function withManifests(body: (lake: Manifests) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => await body(new Manifests(folder, { hasFiles: false })));
}

void test("readers see the day's earlier revision, then no such day; a second call withdraws nothing more", async () => {
  await withManifests(async (lake) => {
    await lake.publish(FIRST, { a: 'new' });
    await lake.publish(SECOND, { a: 'new' });
    await lake.publish(SECOND, { a: 'new' });
    const done = await lake.unpublish(SECOND);
    assert.deepEqual(
      [done.status, done.revision, done.dayIsNow, done.latestIsNow],
      ['unpublished', 2, { ingestDate: SECOND, revision: 1 }, { ingestDate: SECOND, revision: 1 }],
    );
    assert.deepEqual(await lake.published(), [FIRST, SECOND]);
    const again = await lake.unpublish(SECOND, { reason: 'another reason' });
    assert.deepEqual([again.status, again.withdrawn], ['already-unpublished', []]);
    assert.equal(again.reason, 'a test file');
    const first = await lake.unpublish(SECOND, { revision: 1 });
    assert.deepEqual([first.dayIsNow, first.latestIsNow?.ingestDate], [undefined, FIRST]);
    assert.deepEqual(await lake.published(), [FIRST]);
    // A revision's number is never used twice.
    assert.equal(revisionText(await lake.publish(SECOND, { a: 'unchanged' })), `${SECOND} r3`);
    await assert.rejects(lake.unpublish(SECOND, { revision: 4 }), {
      code: 'NOT_PUBLISHED',
      message: /no revision 4; there: 1, 2, 3/,
    });
    await assert.rejects(lake.unpublish(FOURTH), { code: 'NOT_PUBLISHED' });
  });
});

void test('a day whose versions later days carry is refused, with their names; with them it goes, the newest first', async () => {
  await withManifests(async (lake) => {
    await lake.publish(FIRST, { a: 'new', b: 'new' });
    await lake.publish(SECOND, { a: 'unchanged', b: 'new' });
    // The third day carries `b` of the second day and nothing of the first.
    await lake.publish(THIRD, { a: 'new', b: 'unchanged' });
    await lake.publish(FOURTH, { a: 'new', b: 'new' });
    await assert.rejects(lake.unpublish(FIRST), {
      code: 'SNAPSHOT_CARRIED',
      message: /^Later days use files of d 2026-01-01 .*: 2026-01-02, 2026-01-03/,
    });
    assert.deepEqual(await lake.published(), [...DAYS]);
    const { withdrawn } = await lake.unpublish(FIRST, { withLater: true });
    assert.deepEqual(withdrawn.map(revisionText), [THIRD, SECOND, FIRST]);
    assert.deepEqual(await lake.published(), [FOURTH]);
    const at = { dataset: DATASET, ingestDate: THIRD, revision: 1 };
    const tombstone = await readTombstone(lake.converted, at);
    assert.deepEqual(tombstone?.because, { ingestDate: FIRST, revision: 1 });
  });
});

void test('a landing that a later day converted anew is carried too', async () => {
  await withManifests(async (lake) => {
    const first = await lake.publish(FIRST, { a: 'new' });
    const [entry] = (await readSnapshot(lake.converted, { dataset: DATASET, ...first })).sources;
    assert.ok(entry);
    const part = { key: `d/ingest_date=${SECOND}/source=a/p.parquet`, rows: 1, bytes: 1 };
    const sources = [{ ...entry, parquet: [{ ...part, checksum: '' }] }];
    const at = { dataset: DATASET, ingestDate: SECOND, revision: 1 };
    await lake.converted.putIfAbsent(snapshotManifestKey(at), snapshotJson({ ...at, sources }));
    await assert.rejects(lake.unpublish(FIRST), { code: 'SNAPSHOT_CARRIED' });
  });
});

/** A store that lets this many writes pass and fails the others. It stands for a host that dies. */
function dyingAfter(store: Store, writes: number): Store {
  let left = writes;
  const putIfAbsent: Store['putIfAbsent'] = async (key, body) => {
    left -= 1;
    if (left < 0) throw new LonghaulError('STORE_UNREACHABLE', 'cut off');
    return await store.putIfAbsent(key, body);
  };
  return withMethods(store, { putIfAbsent });
}

void test('a command that dies after any write leaves a consistent lake, and the next one ends its work', async () => {
  for (const writes of [0, 1, 2, 3]) {
    await withManifests(async (lake) => {
      await lake.publish(FIRST, { a: 'new' });
      await lake.publish(SECOND, { a: 'unchanged' });
      await lake.publish(THIRD, { a: 'unchanged' });
      const dying = { raw: lake.raw, converted: dyingAfter(lake.converted, writes) };
      const input = inputOf(FIRST, { withLater: true });
      const dead = unpublish(dying, input);
      if (writes < 3) await assert.rejects(dead, { code: 'STORE_UNREACHABLE' });
      else await dead;
      await lake.assertConsistent();
      assert.equal((await lake.published()).length, 3 - writes);
      await unpublish(lake, input);
      assert.deepEqual(await lake.published(), []);
    });
  }
});

const STEP = fc.record({
  what: fc.constantFrom('publish' as const, 'publish' as const, 'unpublish' as const),
  day: fc.constantFrom(...DAYS),
  a: fc.constantFrom('new' as const, 'unchanged' as const),
  b: fc.constantFrom('new' as const, 'unchanged' as const),
  revision: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  withLater: fc.boolean(),
});

void test('whatever days, revisions and backfills came and went, nothing carries what is unpublished, and no number comes twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { minLength: 1, maxLength: 14 }), async (steps) => {
      await withManifests(async (lake) => {
        /** Revision → whether it is published, kept apart from the product's code. */
        const books = new Map<string, boolean>();
        for (const { what, day, a, b, ...how } of steps) {
          if (what === 'publish') {
            const name = revisionText(await lake.publish(day, { a, b }));
            assert.ok(!books.has(name), `${name} came twice`);
            books.set(name, true);
            continue;
          }
          try {
            const { withdrawn, status } = await lake.unpublish(day, how);
            assert.equal(status === 'unpublished', withdrawn.length > 0);
            for (const at of withdrawn) {
              assert.equal(books.get(revisionText(at)), true);
              books.set(revisionText(at), false);
            }
            if (!how.withLater) assert.ok(withdrawn.length <= 1);
          } catch (error) {
            const codes = ['NOT_PUBLISHED', ...(how.withLater ? [] : ['SNAPSHOT_CARRIED'])];
            assert.ok(error instanceof LonghaulError && codes.includes(error.code), String(error));
          }
          await lake.assertConsistent();
        }
        const published = (await listSnapshots(lake.converted, DATASET)).map(revisionText);
        const kept = [...books].flatMap(([name, isPublished]) => (isPublished ? [name] : []));
        assert.deepEqual(published.toSorted(), kept.toSorted());
      });
    }),
    { numRuns: 60 },
  );
});

void test('a run that publishes while its base is unpublished, in whatever order: it fails, or its day is withdrawn too', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), async (scheduler) => {
      await withManifests(async (lake) => {
        await lake.publish(FIRST, { a: 'new' });
        const [entry] =
          (await previousSnapshot(lake.converted, { ...AT, revision: 1 }))?.sources ?? [];
        assert.ok(entry);
        const shared: Lake = {
          raw: lake.raw,
          converted: scheduled(lake.converted, scheduler),
        };
        const dataset = { name: DATASET, timeZone: 'UTC', sources: [sourceOf('a')] };
        const run = {
          dataset,
          ingestDate: SECOND,
          revision: 1,
          runId: 'r1',
          engine: 'duckdb',
        } as const;
        const publication = { ...run, accept: false, missing: [], unchanged: [entry] };
        const both = Promise.allSettled([
          publishSnapshot(shared, publication),
          unpublish(shared, inputOf(FIRST)),
        ]);
        await scheduler.waitFor(both);
        const [published, withdrawn] = await both;
        await lake.assertConsistent();
        if (withdrawn.status === 'rejected') {
          // The publication came first.
          assert.equal((withdrawn.reason as LonghaulError).code, 'SNAPSHOT_CARRIED');
          assert.equal(published.status, 'fulfilled');
          assert.deepEqual(await lake.published(), [FIRST, SECOND]);
          return;
        }
        assert.deepEqual(await lake.published(), []);
        if (published.status === 'rejected') {
          assert.equal((published.reason as LonghaulError).code, 'UNPUBLISHED_MEANWHILE');
        } else {
          assert.deepEqual(withdrawn.value.withdrawn.map(revisionText), [FIRST, SECOND]);
        }
      });
    }),
    { numRuns: 150 },
  );
});

const AT = { dataset: DATASET, ingestDate: SECOND };
