import type { S3Settings, SparkSettings } from '../../config/settings.ts';
import { locateHadoopJars } from '../../programs/hadoop.ts';
import type { SparkJob, SparkResult } from './job.ts';
import { IdleSessions } from './idle-sessions.ts';
import { SparkGone, SparkSession, type SparkStart, type SparkTask } from './session.ts';

export interface SparkRun {
  /** Where files of the job lie in a bucket. */
  s3?: S3Settings | undefined;
  signal: AbortSignal;
  /** @param bytes of the inputs done so far. */
  onProgress: (bytes: number) => void;
  onNote?: ((note: string) => void) | undefined;
}

/**
 * How a job is done.
 * @param job what starting takes need not wait for it; its rejection is the run's.
 */
export type SparkRunner = (job: Promise<SparkJob>, run: SparkRun) => Promise<SparkResult>;

/** The Spark sessions of one worker. */
export interface SparkSessions {
  /** @throws LonghaulError PROGRAM_NOT_INSTALLED, and as `ConversionEngine`; the signal's reason when it aborts. */
  run: SparkRunner;
  /** Ends those that wait for a job; none may be at work. */
  close: () => Promise<void>;
}

/**
 * Jobs by `spark-submit`. A Spark that has done its job waits `idleMs` for the next: a start takes longer than most
 * conversions, and what Java has compiled stays.
 */
export function sparkSessions(settings: SparkSettings): SparkSessions {
  const idle = new IdleSessions(settings.idleMs);
  return {
    run: async (job, { s3, signal, onProgress, onNote }) => {
      const reach = s3 ? await s3Access(s3, settings.hadoopJars, signal, onNote) : {};
      const access = JSON.stringify(reach);
      const task = { job, bucket: s3?.bucket, signal, onProgress };
      const within = async (session: SparkSession): Promise<SparkResult> => {
        const result = await runOrClose(session, task);
        const canDoMore = 'parts' in result && session.isOpen;
        await (canDoMore ? idle.keep(session, access) : session.close());
        return result;
      };
      const start = { ...settings, ...reach, onNote };
      try {
        return await within((await idle.take(access)) ?? (await SparkSession.open(start)));
      } catch (error) {
        if (!(error instanceof SparkGone)) throw error;
        return await within(await SparkSession.open(start));
      }
    },
    close: async () => await idle.close(),
  };
}

async function runOrClose(session: SparkSession, task: SparkTask): Promise<SparkResult> {
  try {
    return await session.run(task);
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** With credentials as they are now. */
async function s3Access(
  settings: S3Settings,
  given: string | undefined,
  signal: AbortSignal,
  onNote: SparkRun['onNote'],
): Promise<Pick<SparkStart, 'conf' | 'env'>> {
  // The SDK, which a conversion on disk does not need.
  const { s3aAccess } = await import('../../storage/s3/s3a.ts');
  const jars = await locateHadoopJars({ given, signal, onNote });
  return await s3aAccess(settings, jars.classPath);
}
