import { after, before, suite } from 'node:test';
import { createSparkEngine } from '../../src/conversion/spark/engine.ts';
import { engineContract } from '../conversion/engine-contract.ts';
import { scratch } from '../conversion/samples.ts';
import { startSparkSession, type SparkSession } from '../helpers/spark-session.ts';

/** The folder of a Spark 3.5, which EMR 7 has: its settings reach a cast by other ways than those of Spark 4. */
const home = process.env['SPARK_35_HOME'];
const skip = home === undefined ? 'SPARK_35_HOME names no Spark 3.5' : false;

suite('the job on Spark 3.5', { skip }, () => {
  let session: SparkSession;
  before(async () => {
    session = await startSparkSession(home === undefined ? {} : { home });
  });
  after(async () => await session?.close());

  const settings = { master: 'local[2]', driverMemory: '1g' };
  const engine = createSparkEngine(
    settings,
    undefined,
    async (job, how) => await session.run(job, how),
  );
  engineContract('spark 3.5', () => engine, scratch);
});
