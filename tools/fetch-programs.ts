/**
 * `npm run programs`: finds or fetches every outside program that the tests use, one after the other, into `.tools/`,
 * at the versions of tools/versions.json. `npm test` runs it first. Otherwise two tests that start together would fetch
 * the same program twice.
 */
import { locateTemporal } from '../src/programs/temporal.ts';
import { locateHadoopJars } from '../src/programs/hadoop.ts';
import { locateHttpfs } from '../src/programs/httpfs.ts';
import { locateSpark } from '../src/programs/spark.ts';
import { fetchMoto, fetchSpark35, locateClusterJars } from './local-aws/programs.ts';
import { locateVersitygw } from './local-aws/versitygw.ts';
import { fetchIcebergJar, fetchTableReaders } from './table-readers/packages.ts';

const searchPath = process.env['PATH'];
const onNote = (note: string): void => console.log(note);

const programs: Record<string, () => Promise<unknown>> = {
  Temporal: async () =>
    await locateTemporal({ given: process.env['TEMPORAL_CLI'], searchPath, onNote }),
  versitygw: async () =>
    await locateVersitygw({ given: process.env['VERSITYGW'], searchPath, onNote }),
  httpfs: async () =>
    await locateHttpfs({ given: process.env['DUCKDB_HTTPFS'], searchPath, onNote }),
  'Hadoop for S3': async () =>
    await locateHadoopJars({ given: process.env['HADOOP_JARS'], onNote }),
  Hadoop: async () => await locateClusterJars({ given: process.env['HADOOP_JARS'], onNote }),
  Spark: async () => await locateSpark({ given: process.env['SPARK_HOME'], searchPath, onNote }),
  'Spark 3.5': async () => await fetchSpark35(onNote),
  moto: async () => await fetchMoto(onNote),
  'readers of tables': async () => await fetchTableReaders(onNote),
  'Iceberg for Spark': async () => await fetchIcebergJar('spark', onNote),
  'Iceberg for S3': async () => await fetchIcebergJar('s3', onNote),
};

for (const [name, locate] of Object.entries(programs)) {
  try {
    await locate();
  } catch (error) {
    // The tests that need the program fail with the same message. The other tests can still run.
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
