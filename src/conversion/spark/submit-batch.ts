import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { S3Settings, SparkSettings } from '../../config/settings.ts';
import { locateHadoopJars } from '../../programs/hadoop.ts';
import type { SparkEnd } from '../../programs/spark-process.ts';
import type { SparkCommand } from '../../programs/spark-submit.ts';
import type { Store } from '../../storage/store.ts';
import type { SparkBatch } from './job.ts';

const SCRIPT = fileURLToPath(new URL('convert.py', import.meta.url));

export type SubmitSpark = (command: SparkCommand) => Promise<SparkEnd>;

interface Submission {
  batch: SparkBatch;
  /** On this machine, for Spark's own files. */
  folder: string;
  submit: SubmitSpark;
  signal: AbortSignal;
  /** @param bytes of the batch's inputs, read so far. */
  onProgress: (bytes: number) => void;
  onNote: (note: string) => void;
}

/** Has Spark on this machine do a job, with credentials as they are now. */
export async function submitBatch(
  { converted, spark }: { converted: Store; spark: SparkSettings },
  { batch, folder, submit, signal, onProgress, onNote }: Submission,
): Promise<SparkEnd> {
  const path = join(folder, 'batch.json');
  await writeFile(path, JSON.stringify(batch));
  const s3 = converted.s3?.settings;
  return await submit({
    ...spark,
    ...(s3 ? await access(s3, { given: spark.hadoopJars, signal, onNote }) : {}),
    script: SCRIPT,
    args: ['--job', `file://${path}`],
    scratchFolder: folder,
    ...{ signal, onNote },
    onLine: (line) => {
      // Spark and Java may say something else.
      const bytes = /^\{"bytes": ?(\d+)\}$/.exec(line)?.[1];
      if (bytes !== undefined) onProgress(Number(bytes));
    },
  });
}

/** As Hadoop's file systems take it: nothing in it is an escape. */
export function hadoopRoot(zone: Store): string {
  const uri = zone.uri('').replace(/\/$/, '');
  return zone.s3 ? `${uri.replace(/^s3:/, 's3a:')}/` : `file://${uri}/`;
}

async function access(
  s3: S3Settings,
  options: Parameters<typeof locateHadoopJars>[0],
): Promise<Pick<SparkCommand, 'conf' | 'env'>> {
  // The SDK, which a conversion on disk does not need.
  const { s3aAccess } = await import('../../storage/s3/engine-access.ts');
  return await s3aAccess(s3, (await locateHadoopJars(options)).classPath);
}
