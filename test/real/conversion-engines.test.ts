import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEngine } from '../../src/conversion/convert-source.ts';
import type { Progress } from '../../src/conversion/engine.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { engineContract, realSamples } from '../conversion/engine-contract.ts';
import {
  converted,
  inspected,
  landed,
  namesBelow,
  readBack,
  requestOf,
  scratch,
} from '../conversion/samples.ts';

const settings = { memoryLimit: '1GiB', threads: 2 };
const duckdb = createEngine('duckdb', settings);
const parquetjs = createEngine('parquetjs', settings);

engineContract('duckdb', () => duckdb, scratch);
engineContract('parquetjs', () => parquetjs, scratch);

test('parquetjs writes integers beyond 2^53 as text and says so in its schema', async (t) => {
  const file = await landed(await scratch(t), 'id,n\n9007199254740993,1\n20186000994239900,2\n');
  const schema = await inspected(file);
  assert.equal(schema.columns[0]?.type, 'BIGINT');
  const result = await converted(parquetjs, file);
  assert.deepEqual(result.schema.columns, [
    { name: 'id', publisherName: 'id', type: 'VARCHAR' },
    { name: 'n', publisherName: 'n', type: 'BIGINT' },
  ]);
  assert.deepEqual((await readBack(result)).rows[0], ['9007199254740993', '1']);
});

test('DuckDB that needs more than its memory limit says so', async (t) => {
  const line = `${'x'.repeat(2000)},`.repeat(50);
  const file = await landed(await scratch(t), `${'a,'.repeat(50)}b\n${`${line}1\n`.repeat(300)}`);
  const small = createEngine('duckdb', { memoryLimit: '4MB', threads: 2 });
  await assert.rejects(
    converted(small, file),
    (error) => error instanceof LonghaulError && error.code === 'ENGINE_OUT_OF_MEMORY',
  );
  assert.deepEqual(await namesBelow(file.store, 'out/'), []);
});

test('DuckDB reports how far a conversion is, and its end only at the end', async (t) => {
  const record = `7,2020-02-03,"two\nlines ${'x'.repeat(60)}"\n`;
  const file = await landed(await scratch(t), `id,day,words\n${record.repeat(2_000_000)}`);
  const reported: number[] = [];
  const request = requestOf(file, await inspected(file));
  const written: number[] = [];
  const onProgress = ({ bytes, bytesWritten = 0 }: Progress): void => {
    reported.push(bytes);
    written.push(bytesWritten);
  };
  const { parts } = await duckdb({ ...request, onProgress });
  const total = request.bytes;
  assert.equal(reported.at(-1), total);
  const before = reported.filter((bytes) => bytes < total);
  assert.ok(
    before.some((bytes) => bytes > total / 100),
    `reported: ${reported.join()}`,
  );
  assert.ok(Math.max(...before) <= total * 0.99);
  assert.deepEqual(
    reported,
    reported.toSorted((one, other) => one - other),
  );
  const size = (await request.output.size(request.outputPrefix + (parts[0] ?? ''))) ?? 0;
  assert.ok(written.every((bytes) => bytes <= size) && Math.max(...written) > 0, written.join());
});

test('quoted text that looks like records does not mislead the parallel reader', async (t) => {
  const long = '1,2019-01-01,abc\r\n'.repeat(60_000);
  const block = `7,2020-02-03,"${long}"\r\n${'8,2020-02-04,x\r\n'.repeat(2000)}`;
  const file = await landed(await scratch(t), `id,day,words\r\n${block.repeat(60)}`);
  const { rows } = await readBack(await converted(duckdb, file));
  assert.equal(rows.length, file.scan.records);
  assert.equal(rows.filter(([, , words]) => words === 'x').length, 120_000);
});

for (const [name, engine] of Object.entries({ duckdb, parquetjs })) {
  test(`${name}: cancelled in the middle, it leaves no process or file`, async (t) => {
    const line = `${'some words,'.repeat(20)}1\n`;
    const file = await landed(await scratch(t), `${'a,'.repeat(20)}b\n${line.repeat(200_000)}`);
    const schema = await inspected(file);
    const controller = new AbortController();
    const conversion = engine({
      ...requestOf(file, schema),
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('cancelled by the test')),
    });
    await assert.rejects(conversion, /cancelled by the test/);
    assert.deepEqual(await namesBelow(file.store, 'out/'), []);
    const left = process.getActiveResourcesInfo();
    assert.ok(!left.includes('ProcessWrap'), 'no child process');
  });
}

realSamples({ duckdb, parquetjs }, scratch);
