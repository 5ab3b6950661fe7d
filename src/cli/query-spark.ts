import type { DuckDBResult } from '@duckdb/node-api';
import type { S3Settings } from '../config/settings.ts';
import { QUERY_SCRIPT, sparkQuery } from '../lake/spark/query.ts';
import { LonghaulError } from '../model/errors.ts';
import type { Target } from '../model/run.ts';
import { locateHadoopJars } from '../programs/hadoop.ts';
import type { LocateOptions } from '../programs/locate.ts';
import { submitSpark } from '../programs/spark-submit.ts';
import type { S3aAccess } from '../storage/s3/s3a.ts';
import { openLake } from '../storage/open-lake.ts';
import { openTemporaryFolder } from '../storage/temporary-folder.ts';
import type { CliContext } from './context.ts';
import { interruptible } from './interrupts.ts';

/** The rows of one SELECT, found by Spark in a JVM of its own; nothing of it is left after that. */
export async function queryWithSpark(
  context: CliContext,
  sql: string,
  { target, maxRows }: { target: Target; maxRows: number | undefined },
  use: (result: DuckDBResult) => Promise<void>,
): Promise<void> {
  const { settings } = context.loadConfig();
  const { converted } = await openLake(target, settings);
  const onNote = (note: string): void => context.note(note);
  const scratch = await openTemporaryFolder();
  const scratchFolder = scratch.folder;
  try {
    await interruptible(async (signal) => {
      const s3 = target === 's3' ? settings.s3 : undefined;
      const access: Partial<S3aAccess> = s3
        ? await accessOf(s3, { given: settings.spark.hadoopJars, onNote, signal })
        : {};
      const run = async (jobPath: string): Promise<string> => {
        const args = ['--job', jobPath];
        const conf = { ...access.conf, ...OWN_CATALOGUE };
        const how = { ...settings.spark, ...access, conf, scratchFolder, signal, onNote };
        return (await submitSpark({ ...how, script: QUERY_SCRIPT, args })).stderr;
      };
      const uriOf = (key: string): string =>
        s3 ? converted.uri(key).replace(/^s3:/, 's3a:') : `file://${converted.uri(key)}`;
      const lake = { converted, uriOf, bucket: s3?.bucket };
      const asked = sparkQuery(sql, { ...lake, scratchFolder, maxRows, run }, use);
      await asked.catch((error: unknown) => {
        if (!signal.aborted) throw error;
        const hint = 'Nothing was changed; ask again.';
        throw new LonghaulError('CANCELLED', 'The query was cancelled.', { hint });
      });
    });
  } finally {
    await scratch.close();
  }
}

/** Whatever Hive this machine's Spark is set up with: the lake's views are all that is there. */
const OWN_CATALOGUE = { 'spark.sql.catalogImplementation': 'in-memory' };

async function accessOf(
  s3: S3Settings,
  how: Pick<LocateOptions, 'given' | 'onNote' | 'signal'>,
): Promise<S3aAccess> {
  const { s3aAccess } = await import('../storage/s3/s3a.ts');
  const { classPath } = await locateHadoopJars(how);
  return await s3aAccess(s3, classPath);
}
