import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { csvFiles, typedValue } from './csv-files.ts';
import {
  convertedInProcess,
  expectedRows,
  inspected,
  landed,
  readBack,
  scratch,
} from './samples.ts';

test('DuckDB writes exactly the rows that csv-parse reads, whatever the dialect and encoding', async (t) => {
  const folder = await scratch(t);
  await fc.assert(
    fc.asyncProperty(csvFiles(), async (file) => {
      const sample = await landed(folder, file.content, file);
      assert.deepEqual(sample.scan.problems, []);
      const schema = await inspected(sample);
      const { rows } = await readBack(await convertedInProcess(sample, schema));
      assert.deepEqual(rows, expectedRows(sample, file.content, schema));
      assert.equal(rows.length, sample.scan.records);
    }),
    { numRuns: 60 },
  );
});

test('a typed value comes back from Parquet as the publisher wrote it', async (t) => {
  const folder = await scratch(t);
  const columns = fc.array(
    fc.oneof(typedValue(), fc.double({ noNaN: true, noDefaultInfinity: true }).map(String)),
    { minLength: 20, maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(columns, async (values) => {
      const header = values.map((_, index) => `v${index}`).join(',');
      const content = Buffer.from(`${header}\n${values.join(',')}\n`);
      const sample = await landed(folder, content);
      const schema = await inspected(sample);
      const { rows } = await readBack(await convertedInProcess(sample, schema));
      assert.deepEqual(rows, expectedRows(sample, content, schema));
    }),
    { numRuns: 40 },
  );
});
