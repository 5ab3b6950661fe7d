import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { LonghaulError } from '../../src/model/errors.ts';
import { ATTACKS } from './attacks.ts';
import { TinyLake } from './tiny-lake.ts';

let lake: TinyLake;
const outside = mkdtempSync(join(tmpdir(), 'longhaul-outside-'));

before(async () => {
  lake = await TinyLake.create();
  await lake.publish('d', '2026-01-01', [
    { id: 'a', columns: [{ name: 'x', type: 'BIGINT' }], select: 'SELECT 1::BIGINT AS x' },
  ]);
  // No manifest names this file. Another tool, or a run that never ended, may leave one.
  writeFileSync(join(lake.root, 'stray.csv'), 'secret\n1\n');
  writeFileSync(join(outside, 'secret.csv'), 'secret\n1\n');
});
after(async () => {
  await lake.remove();
  rmSync(outside, { recursive: true });
});

function partOf(): string {
  return `${lake.root}/d/ingest_date=2026-01-01/source=a/part-00000.parquet`;
}

for (const [name, sql] of ATTACKS) {
  void test(`${name} is refused and leaves the lake as it was`, async () => {
    const lakeBefore = await lake.fingerprint();
    await assert.rejects(
      lake.rows(sql({ root: lake.root, part: partOf(), outside })),
      (error: LonghaulError) => {
        assert.ok(['QUERY_REFUSED', 'QUERY_FAILED'].includes(error.code), error.code);
        return true;
      },
    );
    assert.deepEqual(await lake.fingerprint(), lakeBefore);
  });
}

for (const sql of [
  'SELECT x FROM d',
  'FROM d',
  'VALUES (1)',
  'WITH t AS (FROM d) SELECT * FROM t',
  'DESCRIBE d',
  'SUMMARIZE d',
  'SHOW TABLES',
  'SELECT x FROM d;',
]) {
  void test(`${sql} runs`, async () => {
    assert.ok((await lake.rows(sql)).length > 0);
  });
}

void test('the code says whether the query is refused or wrong', async () => {
  const codeOf = async (sql: string): Promise<string> =>
    await lake.rows(sql).then(
      () => 'none',
      (error: unknown) => (error as LonghaulError).code,
    );
  assert.equal(await codeOf(`SELECT * FROM read_csv('${outside}/secret.csv')`), 'QUERY_REFUSED');
  assert.equal(await codeOf('SELECT 1; SELECT 2'), 'QUERY_REFUSED');
  assert.equal(await codeOf('SELEC 1'), 'QUERY_FAILED');
  assert.equal(await codeOf('SELECT nosuch FROM d'), 'QUERY_FAILED');
  assert.equal(await codeOf("SELECT CAST('x' AS INT)"), 'QUERY_FAILED');
});

void test('a message holds no control character of the query', async () => {
  await assert.rejects(lake.rows('SELECT "\u001b[31mred" FROM d'), (error: Error) => {
    assert.ok(!error.message.includes('\u001b'));
    return true;
  });
});

void test('a lake whose path has the letters of a glob is read all the same', async () => {
  const odd = await TinyLake.create("a[b]*'c");
  try {
    await odd.publish('d', '2026-01-01', [
      { id: 'a', columns: [{ name: 'x', type: 'BIGINT' }], select: 'SELECT 7::BIGINT AS x' },
    ]);
    assert.deepEqual(await odd.rows('SELECT x FROM d'), [{ x: 7 }]);
  } finally {
    await odd.remove();
  }
});

void test('a missing file is damage of the lake, and fails only the query that reads it', async () => {
  const broken = await TinyLake.create();
  try {
    const columns = [{ name: 'x', type: 'BIGINT' as const }];
    await broken.publish('good', '2026-01-01', [
      { id: 'a', columns, select: 'SELECT 1::BIGINT AS x' },
    ]);
    const { sources } = await broken.publish('bad', '2026-01-01', [
      { id: 'a', columns, select: 'SELECT 1::BIGINT AS x' },
    ]);
    await broken.store.delete(sources[0]?.parquet[0]?.key ?? '');
    assert.deepEqual(await broken.rows('SELECT x FROM good'), [{ x: 1 }]);
    await assert.rejects(broken.rows('SELECT x FROM bad'), { code: 'LAKE_CORRUPT' });
  } finally {
    await broken.remove();
  }
});
