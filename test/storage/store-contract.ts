import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { formatChecksum } from '../../src/model/texts.ts';
import { checksumAt, locationBlocks } from '../../src/storage/location.ts';
import type { Store } from '../../src/storage/store.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

/** Tests what every kind of store must do. */
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

    it('distinguishes absent from empty', async () => {
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

    it('deletes what starts with a prefix, there or not, and nothing else', async () => {
      await withStore(async (store) => {
        for (const key of ['deep/a-1', 'deep/a-2', 'deep/b', 'deeper/a']) await store.put(key, 'x');
        const left = async (): Promise<string[]> => {
          const keys: string[] = [];
          for await (const { key } of store.list('')) keys.push(key);
          return keys.toSorted();
        };
        await store.deletePrefix('deep/a-');
        assert.deepEqual(await left(), ['deep/b', 'deeper/a']);
        await store.deletePrefix('deep/');
        await store.deletePrefix('deep/');
        await store.deletePrefix('none/a-');
        await store.delete('deep/b');
        assert.deepEqual(await left(), ['deeper/a']);
      });
    });

    it('copies a range of an object, and nothing where it fails', async () => {
      await withStore(async (store) => {
        await store.put('from', '0123456789');
        const location = store.location('from');
        await store.copyRange({ location, start: 2, end: 7 }, 'deep/source=a/shard.csv');
        assert.equal((await store.get('deep/source=a/shard.csv'))?.toString(), '23456');
        const gone = { location: store.location('gone'), start: 0, end: 5 };
        await assert.rejects(store.copyRange(gone, 'deep/none'));
        const range = { location, start: 0, end: 5 };
        await assert.rejects(store.copyRange(range, 'deep/none', AbortSignal.abort()));
        assert.equal(await store.size('deep/none'), undefined);
      });
    });

    it('takes a local file in, whole', async () => {
      await withStore(async (store) => {
        await withTempFolder(async (folder) => {
          const path = join(folder, 'file');
          const bytes = Buffer.alloc(17 * 1024 * 1024, 'longhaul');
          await writeFile(path, bytes);
          await store.putFile('deep/file', path);
          assert.ok(bytes.equals((await store.get('deep/file')) ?? Buffer.alloc(0)));
          assert.equal(existsSync(path), false);
        });
      });
    });

    it('reads an object block by block from its location, and checks its sum', async () => {
      await withStore(async (store) => {
        const bytes = Buffer.alloc(2_500_000, 'some words');
        await store.put('object', bytes);
        const location = store.location('object');
        const blocks: Buffer[] = [];
        for await (const block of locationBlocks(location, { start: 3, end: 2_400_000 })) {
          blocks.push(Buffer.from(block));
        }
        assert.ok(Buffer.concat(blocks).equals(bytes.subarray(3, 2_400_000)));
        assert.equal(await checksumAt(location), formatChecksum(crc32(bytes)));
        const readTooFar = async (): Promise<void> => {
          for await (const block of locationBlocks(location, { end: 2_500_001 })) assert.ok(block);
        };
        await assert.rejects(readTooFar(), { code: 'LAKE_CORRUPT' });
        await assert.rejects(checksumAt(store.location('gone')), { code: 'LAKE_CORRUPT' });
        await assert.rejects(checksumAt(location, AbortSignal.abort()), { name: 'AbortError' });
        // 123456789 and its CRC-32 are the check value that specifications of CRC-32 give.
        for (const [body, sum] of [
          ['123456789', 'cbf43926'],
          ['', '00000000'],
        ] as const) {
          await store.put('short', body);
          assert.equal(await checksumAt(store.location('short')), `crc32:${sum}`);
        }
        assert.equal(formatChecksum(0xff), 'crc32:000000ff');
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
