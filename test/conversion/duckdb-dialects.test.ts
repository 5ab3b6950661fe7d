import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { csvFiles, typedValue } from '../csv/csv-files.ts';
import {
  converted,
  expectedRows,
  inProcessDuckDb,
  inspected,
  landed,
  namesBelow,
  readBack,
  scratch,
} from './samples.ts';

const duckdb = inProcessDuckDb();
/** A few records each. */
const inSmallParts = inProcessDuckDb({
  maxWholeBytes: 20,
  sampleBytes: 20 / 4,
  maxRangeBytes: 40,
  partBytes: 1e9,
  maxPartBytes: 1e9,
});

test('DuckDB writes exactly the rows that csv-parse reads, whatever the dialect and encoding', async (t) => {
  const store = await scratch(t);
  await fc.assert(
    fc.asyncProperty(csvFiles(), async (file) => {
      const sample = await landed(store, file.content, file);
      assert.deepEqual(sample.scan.problems, []);
      const schema = await inspected(sample);
      const { rows } = await readBack(await converted(duckdb, sample, { schema }));
      assert.deepEqual(rows, expectedRows(sample, schema));
      assert.equal(rows.length, sample.scan.records);
    }),
    { numRuns: 30 },
  );
});

test('in parts, it writes the same rows in the same order', async (t) => {
  const store = await scratch(t);
  let parts = 0;
  await fc.assert(
    fc.asyncProperty(csvFiles(), fc.integer({ min: 1, max: 30 }), async (file, spacing) => {
      const sample = await landed(store, file.content, { ...file, spacing });
      const schema = await inspected(sample);
      const result = await converted(inSmallParts, sample, { schema });
      parts = Math.max(parts, result.parts.length);
      const { rows } = await readBack(result);
      assert.deepEqual(rows, expectedRows(sample, schema));
      assert.deepEqual(await namesBelow(store, 'out/'), result.parts);
      await store.deletePrefix('out/');
    }),
    { numRuns: 20 },
  );
  assert.ok(parts > 2, 'there were files of several parts');
});

test('a typed value comes back from Parquet as the publisher wrote it', async (t) => {
  const store = await scratch(t);
  const columns = fc.array(
    fc.oneof(typedValue(), fc.double({ noNaN: true, noDefaultInfinity: true }).map(String)),
    { minLength: 20, maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(columns, async (values) => {
      const header = values.map((_, index) => `v${index}`).join(',');
      const content = Buffer.from(`${header}\n${values.join(',')}\n`);
      const sample = await landed(store, content);
      const schema = await inspected(sample);
      const { rows } = await readBack(await converted(duckdb, sample, { schema }));
      assert.deepEqual(rows, expectedRows(sample, schema));
    }),
    { numRuns: 20 },
  );
});
