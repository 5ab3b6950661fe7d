import { createHash } from 'node:crypto';
import { mkdir, realpath } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { ActivityDeps, DepsOf } from '../activities/deps.ts';
import { addressSecrets } from '../config/address-secrets.ts';
import { ofThisProcess } from '../config/load-config.ts';
import type { S3Settings, Settings } from '../config/settings.ts';
import type { SparkRunner } from '../conversion/spark/sessions.ts';
import { LonghaulError } from '../model/errors.ts';
import { TARGETS, TASK_QUEUE, type Target } from '../model/run.ts';
import { openLake } from '../storage/open-lake.ts';

interface Lakes {
  all: ActivityDeps[];
  of: DepsOf;
}

/** Every lake that this worker reaches: the one on its disk, and the one in a bucket where one is set. */
export async function openLakes(settings: Settings, spark: SparkRunner): Promise<Lakes> {
  const secretsOf = addressSecrets(settings.datasetsFile, ofThisProcess());
  const found = new Map<Target, ActivityDeps>();
  for (const target of TARGETS) {
    if (target === 's3' && !settings.s3) continue;
    const lakeQueue = await queueOf(target, settings);
    found.set(target, {
      ...(await openLake(target, settings)),
      http: settings.http,
      addresses: settings.addresses,
      secretsOf,
      duckdb: settings.duckdb,
      spark,
      activity: settings.activity,
      emr: settings.emr,
      lakeQueue,
      backfillQueue: `${lakeQueue}-backfill`,
      stepQueues: { transfer: `${lakeQueue}-transfer`, convert: `${lakeQueue}-convert` },
    });
  }
  return {
    all: [...found.values()],
    of: (target) => {
      const deps = found.get(target);
      if (deps) return deps;
      throw new LonghaulError('CONFIG_INVALID', 'The worker of this run has no S3_BUCKET.', {
        hint: 'Set S3_BUCKET for the worker too. For the embedded one: `longhaul down`, then run this again.',
      });
    },
  };
}

async function queueOf(target: Target, { dataDir, s3 }: Settings): Promise<string> {
  if (target === 's3' && s3) return s3Queue(s3);
  await mkdir(dataDir, { recursive: true });
  return nameOf([hostname(), await realpath(dataDir)]);
}

/** Any worker with this bucket and these prefixes may take the work over. */
function s3Queue({ bucket, rawPrefix, convertedPrefix }: S3Settings): string {
  return nameOf(['s3', bucket, rawPrefix, convertedPrefix]);
}

/** The same after a restart, so that a run goes on where its files are; another for every lake. */
function nameOf(identity: string[]): string {
  const hash = createHash('sha256').update(identity.join('\0')).digest('hex').slice(0, 12);
  return `${TASK_QUEUE}@${hash}`;
}
