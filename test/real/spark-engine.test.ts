import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { createSparkEngine } from '../../src/conversion/spark/engine.ts';
import type { SparkRunner } from '../../src/conversion/spark/submit.ts';
import { engineContract } from '../conversion/engine-contract.ts';
import { csvFiles } from '../conversion/csv-files.ts';
import {
  converted,
  expectedRows,
  inspected,
  landed,
  namesBelow,
  readBack,
  scratch,
} from '../conversion/samples.ts';
import { startSparkSession, type SparkSession } from '../helpers/spark-session.ts';

const SETTINGS = { master: 'local[2]', driverMemory: '1g' };

let session: SparkSession;
before(async () => {
  session = await startSparkSession();
});
after(async () => await session.close());

const run: SparkRunner = async (job, how) => await session.run(job, how);
const whole = createSparkEngine(SETTINGS, undefined, run);
/** A few records a shard, and a few shards a file. */
const inSmallShards = createSparkEngine(
  SETTINGS,
  { shardBytes: 30, partBytes: 3000, maxPartBytes: 4000 },
  run,
);

engineContract('spark', () => whole, scratch);

test('in shards, Spark writes the rows that csv-parse reads, in order, whatever the dialect and encoding', async (t) => {
  const store = await scratch(t);
  let parts = 0;
  await fc.assert(
    fc.asyncProperty(csvFiles(), fc.integer({ min: 1, max: 30 }), async (file, spacing) => {
      const sample = await landed(store, file.content, { ...file, spacing });
      const schema = await inspected(sample);
      const result = await converted(inSmallShards, sample, { schema });
      parts = Math.max(parts, result.parts.length);
      const { rows } = await readBack(result);
      assert.deepEqual(rows, expectedRows(sample, schema));
      assert.deepEqual(await namesBelow(store, 'out/'), result.parts);
      await store.deletePrefix('out/');
    }),
    { numRuns: 15 },
  );
  assert.ok(parts > 1, 'there were files of several parts');
});
