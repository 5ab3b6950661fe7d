import type { S3Settings, SparkSettings } from '../../config/settings.ts';
import { locateHadoopJars } from '../../programs/hadoop.ts';
import type { SparkJob, SparkResult } from './job.ts';
import { SparkGone, SparkSession, type SparkStart } from './session.ts';

export interface SparkRun {
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

/** Those of one worker. */
export interface SparkSessions {
  /** @throws LonghaulError PROGRAM_NOT_INSTALLED, and as `ConversionEngine`; the signal's reason when it aborts. */
  run: SparkRunner;
  /** Ends those that wait for a job; none may be at work. */
  close: () => Promise<void>;
}

interface Idle {
  session: SparkSession;
  access: string;
  timer: NodeJS.Timeout;
}

/**
 * Jobs by `spark-submit`. A Spark that has done its job waits `idleMs` for the next: a start takes longer than most
 * conversions, and what Java has compiled stays.
 */
export function sparkSessions(settings: SparkSettings): SparkSessions {
  const idle = new Map<SparkSession, Idle>();

  const forget = async (session: SparkSession): Promise<void> => {
    clearTimeout(idle.get(session)?.timer);
    idle.delete(session);
    await session.close();
  };
  const keep = async (session: SparkSession, access: string): Promise<void> => {
    if (settings.idleMs === 0) return await session.close();
    const timer = setTimeout(() => void forget(session), settings.idleMs);
    idle.set(session, { session, access, timer });
  };
  /** One that reaches the same with the same credentials; any other has to make room. */
  const take = async (access: string): Promise<SparkSession | undefined> => {
    for (const each of idle.values()) {
      if (each.access === access && each.session.isOpen) {
        clearTimeout(each.timer);
        idle.delete(each.session);
        return each.session;
      }
    }
    await Promise.all([...idle.keys()].map(forget));
    return undefined;
  };

  return {
    run: async (job, { s3, signal, onProgress }) => {
      const reach = s3 ? await s3Access(s3, settings.hadoopJars, signal) : {};
      const access = JSON.stringify(reach);
      const task = { job, bucket: s3?.bucket, signal, onProgress };
      const within = async (session: SparkSession): Promise<SparkResult> => {
        try {
          const result = await session.run(task);
          if ('parts' in result) await keep(session, access);
          else await session.close();
          return result;
        } catch (error) {
          await session.close();
          throw error;
        }
      };
      const start = { ...settings, ...reach };
      const open = async (): Promise<SparkSession> => await SparkSession.open(start);
      try {
        return await within((await take(access)) ?? (await open()));
      } catch (error) {
        if (!(error instanceof SparkGone)) throw error;
        return await within(await open());
      }
    },
    close: async () => {
      await Promise.all([...idle.keys()].map(forget));
    },
  };
}

/** With credentials as they are now. */
async function s3Access(
  settings: S3Settings,
  given: string | undefined,
  signal: AbortSignal,
): Promise<Pick<SparkStart, 'conf' | 'env'>> {
  // The SDK, which a conversion on disk does not need.
  const { s3aAccess } = await import('../../storage/s3/s3a.ts');
  const jars = await locateHadoopJars('s3a', { given, signal });
  return await s3aAccess(settings, jars.classPath);
}
