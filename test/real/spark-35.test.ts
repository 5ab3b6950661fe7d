import { after, before, suite } from 'node:test';
import { createSparkEngine } from '../../src/conversion/spark/engine.ts';
import type { SparkRunner } from '../../src/conversion/spark/submit.ts';
import { locateSpark } from '../../src/programs/spark.ts';
import { engineContract } from '../conversion/engine-contract.ts';
import { scratch } from '../conversion/samples.ts';
import { startSparkSession, type SparkSession } from '../helpers/spark-session.ts';

suite('the job on Spark 3.5, which EMR 7 has', () => {
  let session: SparkSession;
  before(async () => {
    const { home } = await locateSpark({ pinned: 'pyspark-3.5' });
    session = await startSparkSession({ home });
  });
  after(async () => await session?.close());

  const settings = { master: 'local[2]', driverMemory: '1g' };
  const run: SparkRunner = async (job, how) => await session.run(job, how);
  const whole = createSparkEngine(settings, undefined, run);
  engineContract('spark 3.5', () => whole, scratch);
  // Every contract file of more than a few records is then read by tasks of its own.
  const sharded = createSparkEngine(
    settings,
    { shardBytes: 30, partBytes: 1, maxPartBytes: 1 },
    run,
  );
  engineContract('spark 3.5 in shards', () => sharded, scratch);
});
