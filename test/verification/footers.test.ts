import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { LonghaulError } from '../../src/model/errors.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { readFooter } from '../../src/verification/footers.ts';

async function parquetFile(
  t: TestContext,
  rows: number,
  { columns = 1 } = {},
): Promise<{ store: DiskStore; path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-footers-'));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'part.parquet');
  const words = Array.from({ length: columns }, (_, n) => `'text ' || i AS words_${n}`).join(', ');
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(
    `COPY (SELECT i, ${words} FROM range(${rows}) t(i)) TO '${path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)`,
  );
  connection.closeSync();
  instance.closeSync();
  return { store: new DiskStore(folder), path };
}

const isCorrupt = (error: unknown): boolean =>
  error instanceof LonghaulError &&
  error.code === 'LAKE_CORRUPT' &&
  error.message.includes('part.parquet');

test('the rows of every row group are counted', async (t) => {
  const { store, path } = await parquetFile(t, 10_000);
  const bytes = (await readFile(path)).length;
  const footer = await readFooter(store, 'part.parquet');
  assert.deepEqual([footer.rows, footer.bytes], [10_000, bytes]);
});

test('a file without rows has none', async (t) => {
  const { store } = await parquetFile(t, 0);
  assert.equal((await readFooter(store, 'part.parquet')).rows, 0);
});

test('a missing, empty or truncated file, or one of another kind, is corrupt', async (t) => {
  const { store, path } = await parquetFile(t, 10_000);
  const whole = await readFile(path);
  await assert.rejects(readFooter(store, 'no-part.parquet'), isCorrupt);
  for (const length of [0, 4, 11, 12, 1000, whole.length - 1]) {
    await writeFile(path, whole);
    await truncate(path, length);
    await assert.rejects(readFooter(store, 'part.parquet'), isCorrupt, `cut to ${length}`);
  }
  await writeFile(path, 'id,name\n'.repeat(100));
  await assert.rejects(readFooter(store, 'part.parquet'), isCorrupt);
});

test('a file whose start is not that of Parquet is corrupt, whatever its footer says', async (t) => {
  const { store, path } = await parquetFile(t, 100);
  const damaged = await readFile(path);
  damaged.write('PAR0');
  await writeFile(path, damaged);
  await assert.rejects(readFooter(store, 'part.parquet'), isCorrupt);
});

test('a footer longer than the first read is read whole', async (t) => {
  // A column has some 100 bytes in the footer of each row group.
  const { store } = await parquetFile(t, 4096, { columns: 4000 });
  assert.equal((await readFooter(store, 'part.parquet')).rows, 4096);
});

test('a damaged footer gives an error of the catalogue or a number, never anything else', async (t) => {
  const { store, path } = await parquetFile(t, 3000);
  const whole = await readFile(path);
  const footerBytes = whole.readUInt32LE(whole.length - 8) + 8;
  await fc.assert(
    fc.asyncProperty(fc.nat(footerBytes - 1), fc.nat(255), async (back, byte) => {
      const damaged = Buffer.from(whole);
      damaged[damaged.length - 1 - back] = byte;
      await writeFile(path, damaged);
      const rows = await readFooter(store, 'part.parquet').then(
        (counted) => counted.rows,
        (error: unknown) => assert.ok(isCorrupt(error), String(error)),
      );
      if (rows !== undefined) assert.ok(Number.isFinite(rows));
    }),
    { numRuns: 300 },
  );
});
