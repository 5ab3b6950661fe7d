import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { SubmitSpark } from '../../src/conversion/spark/convert-batch.ts';
import { engineContract } from '../conversion/engine-contract.ts';
import { converted, expectedRows, landed, readBack, scratch } from '../conversion/samples.ts';
import { fetchSpark35 } from '../../tools/local-aws/programs.ts';
import { sparkEngine } from '../helpers/spark-engine.ts';
import { startSparkSession, type SparkSession } from '../helpers/spark-session.ts';

suite('the job on Spark 3.5, which EMR 7 has', () => {
  let session: SparkSession;
  before(async () => {
    session = await startSparkSession({ home: await fetchSpark35() });
  });
  after(async () => await session?.close());

  const submit: SubmitSpark = async (command) => await session.submit(command);
  const whole = sparkEngine({ submit });
  engineContract('spark 3.5', () => whole, scratch);

  test('shards of unlike sizes, a task each: all rows, in order', async (t) => {
    const sizes = { shardBytes: 2000, partBytes: 1, maxPartBytes: 1 };
    const sharded = sparkEngine({ submit, sizes });
    // The records grow, so the last shards are the longest. Spark begins with them.
    const lines = Array.from({ length: 60 }, (_, n) => `${n},"${'line\n'.repeat(n)}"\n`);
    const file = await landed(await scratch(t), `n,t\n${lines.join('')}`, { spacing: 500 });
    const result = await converted(sharded, file);
    assert.ok(result.parts.length > 2, result.parts.join(' '));
    const { rows } = await readBack(result);
    assert.deepEqual(rows, expectedRows(file, result.schema));
  });
});
