import type { EmrSettings } from '../config/settings.ts';
import { instanceCount, requestAdditions } from './cluster-request.ts';
import { LonghaulError } from '../model/errors.ts';
import { isInBucket, type Lake, type Store } from '../storage/store.ts';
import type { S3Settings } from '../config/settings.ts';
import type { EmrPlan } from '../model/emr.ts';

/** Dependencies of the activities for EMR. */
export interface EmrDeps extends Lake {
  emr: EmrSettings;
  /** Longest time for which EMR may give no answer. */
  retryForMs: number;
}

/** Limit of a start: instances and bootstrap actions take minutes. If it takes longer, the operator must look. */
const START_LIMIT_MS = 40 * 60_000;
const HOUR_MS = 3_600_000;

/**
 * The run asks this first, so that it downloads nothing for a cluster that it cannot have.
 * @throws LonghaulError EMR_NEEDS_S3, EMR_TOO_EXPENSIVE; CONFIG_INVALID for the file of EMR_REQUEST.
 */
export async function emrPlan({
  converted,
  emr,
}: Pick<EmrDeps, 'converted' | 'emr'>): Promise<EmrPlan> {
  s3Of(converted);
  const instances = instanceCount(emr, await requestAdditions(emr));
  assertAffordable(emr, instances, 0);
  return {
    output: emr.output,
    instances,
    startLimitMs: START_LIMIT_MS,
    stepLimitMs: emr.stepLimitMs,
    maxInstanceHours: emr.maxInstanceHours,
    keepAlive: emr.keepAliveMs !== undefined,
  };
}

/**
 * Checks, before a cluster is made, the most that it may cost: its start and one step may take as long as their limits.
 * While the cluster runs, the hours that it has really used count.
 * @throws LonghaulError EMR_TOO_EXPENSIVE.
 */
export function assertAffordable(
  emr: EmrSettings,
  instances: number,
  usedInstanceHours: number,
): void {
  if (emr.clusterId !== undefined) return;
  const { stepLimitMs, maxInstanceHours } = emr;
  const hours = (START_LIMIT_MS + stepLimitMs) / HOUR_MS;
  const total = usedInstanceHours + instances * hours;
  if (total <= maxInstanceHours) return;
  const used = usedInstanceHours > 0 ? `${usedInstanceHours.toFixed(1)} used and ` : '';
  throw new LonghaulError(
    'EMR_TOO_EXPENSIVE',
    `${instances} instances for up to ${hours.toFixed(1)} hours are ${used}${(instances * hours).toFixed(1)} instance-hours; EMR_MAX_INSTANCE_HOURS is ${maxInstanceHours}.`,
  );
}

export interface ServerlessSettings {
  applicationId: string;
  jobRoleArn: string;
}

/** @throws LonghaulError EMR_NEEDS_S3; CONFIG_INVALID if a setting is missing. */
export function serverlessSettings({
  converted,
  emr,
}: Pick<EmrDeps, 'converted' | 'emr'>): ServerlessSettings {
  s3Of(converted);
  const { applicationId, jobRoleArn } = emr;
  if (applicationId !== undefined && jobRoleArn !== undefined) return { applicationId, jobRoleArn };
  const what =
    'The engine emr-serverless needs EMR_SERVERLESS_APPLICATION_ID and EMR_SERVERLESS_ROLE_ARN.';
  throw new LonghaulError('CONFIG_INVALID', what);
}

/** @throws LonghaulError EMR_NEEDS_S3 for a lake on a disk. */
export function s3Of(store: Store): S3Settings {
  if (isInBucket(store)) return store.s3.settings;
  throw new LonghaulError('EMR_NEEDS_S3', 'A cluster cannot read a lake that lies on a disk.');
}

/** Folder of a run's logs on EMR. It ends with `/`. */
export function logFolder({ converted, emr }: Pick<EmrDeps, 'converted' | 'emr'>): string {
  return emr.logUri ?? converted.uri('_emr-logs/');
}
