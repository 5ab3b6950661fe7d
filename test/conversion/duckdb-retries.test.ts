import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { createDuckDbEngine, type JobRunner } from '../../src/conversion/duckdb/engine.ts';
import { PART_SIZES } from '../../src/conversion/parts.ts';
import { LonghaulError, type ErrorCode } from '../../src/model/errors.ts';
import { converted, landed, namesBelow, scratch, type Sample } from './samples.ts';

/** An engine whose jobs fail as given, one after the other, and are done from then on. */
function failing(codes: ErrorCode[]) {
  const copies: string[] = [];
  const run: JobRunner = async (job) => {
    const code = codes[copies.length];
    copies.push(job.copy);
    const [, path = ''] = /TO '([^']+)' \(FORMAT/.exec(job.copy) ?? [];
    await writeFile(path, 'PAR1');
    if (code) throw new LonghaulError(code, code);
  };
  const engine = createDuckDbEngine({ memoryLimit: '1GiB', threads: 1 }, PART_SIZES, run);
  return { copies, engine };
}

async function assertFails(codes: ErrorCode[], file: Sample, runs: number): Promise<void> {
  const { copies, engine } = failing(codes);
  await assert.rejects(converted(engine, file), { code: codes.at(-1) });
  assert.equal(copies.length, runs);
  assert.deepEqual(await namesBelow(file.store, 'out/'), []);
}

test('expired credentials are found anew by another child, once', async (t) => {
  const file = await landed(await scratch(t), 'a,b\n1,2\n');
  const { copies, engine } = failing(['STORE_CREDENTIALS']);
  await converted(engine, file);
  assert.equal(copies.length, 2);
  assert.equal(copies[0], copies[1]);
  assert.deepEqual(await namesBelow(file.store, 'out/'), ['00000.parquet']);
  await file.store.deletePrefix('out/');
  await assertFails(['STORE_CREDENTIALS', 'STORE_CREDENTIALS'], file, 2);
});

test('the single-threaded reader is tried where line breaks in quotes may have misled the other', async (t) => {
  const file = await landed(await scratch(t), 'a,b\n"1\n",2\n');
  const { copies, engine } = failing(['ENGINE_FAILED']);
  await converted(engine, file);
  assert.deepEqual(
    copies.map((copy) => copy.includes('parallel = false')),
    [false, true],
  );
  await file.store.deletePrefix('out/');
  await assertFails(['STORE_UNAVAILABLE'], file, 1);
});
