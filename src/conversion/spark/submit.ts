import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { S3Settings, SparkSettings } from '../../config/settings.ts';
import { locateHadoopJars } from '../../programs/hadoop.ts';
import { submitSpark } from '../../programs/spark-submit.ts';
import { deathError, memoryError } from './errors.ts';
import type { SparkJob, SparkResult } from './job.ts';

export interface SparkRun {
  /** A folder on this machine, of this attempt's own: Spark's temporary files go there and nowhere else. */
  scratchFolder: string;
  /** Where files of the job lie in a bucket. */
  s3?: S3Settings | undefined;
  signal: AbortSignal;
  /** @param bytes of the inputs done so far. */
  onProgress: (bytes: number) => void;
}

/**
 * How a job is done.
 * @param job what starting takes need not wait for it; its rejection is the run's.
 */
export type SparkRunner = (job: Promise<SparkJob>, run: SparkRun) => Promise<SparkResult>;

/**
 * Jobs by `spark-submit`, a process group for each.
 * @param script for tests of a job that goes wrong.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED, and as `ConversionEngine`; the signal's reason when it aborts.
 */
export function submitting(
  settings: SparkSettings,
  script = fileURLToPath(new URL('convert.py', import.meta.url)),
): SparkRunner {
  return async (job, { scratchFolder, s3, signal, onProgress }) => {
    const jobPath = join(scratchFolder, 'job.json');
    const resultPath = join(scratchFolder, 'result.json');
    const gaveUp = new AbortController();
    // Of another try.
    await rm(resultPath, { force: true });
    void handOver(job, jobPath, resultPath).catch((error: unknown) => gaveUp.abort(error));
    const end = await submitSpark({
      ...settings,
      ...(s3 ? await s3Access(s3, settings.hadoopJars, signal) : {}),
      script,
      args: ['--job', fileUri(jobPath), '--wait'],
      scratchFolder,
      signal: AbortSignal.any([signal, gaveUp.signal]),
      onLine: (line) => {
        const bytes = bytesIn(line);
        if (bytes !== undefined) onProgress(bytes);
      },
    });
    const result = await readFile(resultPath, 'utf8').catch(() => '');
    const said = parsed(result) as SparkResult | undefined;
    if (!said) throw deathError(end, s3?.bucket);
    const memory = 'error' in said ? memoryError(end) : undefined;
    if (memory) throw memory;
    return said;
  };
}

/** Whole at once: somebody waits for it. */
async function handOver(
  job: Promise<SparkJob>,
  jobPath: string,
  resultPath: string,
): Promise<void> {
  const text = JSON.stringify({ ...(await job), result: fileUri(resultPath) });
  await writeFile(`${jobPath}.new`, text);
  await rename(`${jobPath}.new`, jobPath);
}

/** As Hadoop's file systems take it: nothing in it is an escape. */
export function fileUri(path: string): string {
  return `file://${path}`;
}

/** With credentials as they are now. */
async function s3Access(settings: S3Settings, given: string | undefined, signal: AbortSignal) {
  // The SDK, which a conversion on disk does not need.
  const { s3aAccess } = await import('../../storage/s3/s3a.ts');
  const jars = await locateHadoopJars('s3a', { given, signal });
  return await s3aAccess(settings, jars.classPath);
}

function bytesIn(line: string): number | undefined {
  const said = parsed(line) as { bytes?: unknown } | null | undefined;
  return typeof said?.bytes === 'number' ? said.bytes : undefined;
}

/** Undefined for what is no JSON: a JVM without memory may have written half of it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
