import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Store } from '../../src/storage/store.ts';

/** What every store must do, whatever it is made of. */
export function testStore(
  name: string,
  withStore: (body: (store: Store) => Promise<void>) => Promise<void>,
): void {
  describe(`store contract: ${name}`, () => {
    it('never overwrites: of two writers of one key, exactly one wins and its bytes stay', async () => {
      await withStore(async (store) => {
        const bodies = Array.from({ length: 8 }, (_, n) => `writer ${n}`);
        const outcomes = await Promise.all(
          bodies.map(async (body) => await store.putIfAbsent('a/b/_manifest.json', body)),
        );
        assert.equal(outcomes.filter((outcome) => outcome === 'created').length, 1);
        const winner = bodies[outcomes.indexOf('created')];
        assert.equal((await store.get('a/b/_manifest.json'))?.toString(), winner);
      });
    });

    it('tells absent from empty', async () => {
      await withStore(async (store) => {
        assert.equal(await store.get('none'), undefined);
        assert.equal(await store.size('none/deeper'), undefined);
        await store.put('empty', '');
        assert.equal((await store.get('empty'))?.length, 0);
        assert.equal(await store.size('empty'), 0);
      });
    });

    it('reads ranges and lists by prefix, folders apart', async () => {
      await withStore(async (store) => {
        await store.put('d/x=1/part', '0123456789');
        await store.put('d/x=2/part', 'b');
        await store.put('d/_manifest.json', '{}');
        assert.equal((await store.readRange('d/x=1/part', 2, 5)).toString(), '234');
        assert.equal((await store.readRange('d/x=1/part', 8, 50)).toString(), '89');
        const keys: string[] = [];
        for await (const { key } of store.list('d/x=')) keys.push(key);
        assert.deepEqual(keys.toSorted(), ['d/x=1/part', 'd/x=2/part']);
        assert.deepEqual((await store.folders('d/')).toSorted(), ['x=1', 'x=2']);
        assert.deepEqual(await store.folders('none/'), []);
      });
    });

    it('moves without overwriting, and deletes what is there or not', async () => {
      await withStore(async (store) => {
        await store.put('from', 'new');
        await store.put('taken', 'old');
        await assert.rejects(store.move('from', 'taken'));
        assert.equal((await store.get('taken'))?.toString(), 'old');
        await store.move('from', 'deep/to');
        assert.equal(await store.get('from'), undefined);
        assert.equal((await store.get('deep/to'))?.toString(), 'new');
        await store.deletePrefix('deep/');
        await store.deletePrefix('deep/');
        await store.delete('deep/to');
        assert.equal(await store.get('deep/to'), undefined);
      });
    });

    it('refuses a key that leaves the zone', async () => {
      await withStore(async (store) => {
        await assert.rejects(store.putIfAbsent('../out', 'x'), { code: 'NAME_INVALID' });
        await assert.rejects(store.get('a/../../out'), { code: 'NAME_INVALID' });
      });
    });
  });
}
