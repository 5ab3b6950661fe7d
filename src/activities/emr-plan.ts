import { readFile } from 'node:fs/promises';
import type { EmrSettings } from '../config/settings.ts';
import { instanceCount } from '../emr/cluster-request.ts';
import { requestAdditions } from '../emr/request-file.ts';
import { LonghaulError } from '../model/errors.ts';
import { stagingPrefix } from '../model/layout.ts';
import { isInBucket, type Store } from '../storage/store.ts';
import type { S3Settings } from '../config/settings.ts';
import type { EmrDeps } from './emr-deps.ts';
import type { EmrPlan, EmrRun } from './emr-types.ts';

const SCRIPTS = ['convert.py', 'count.py'] as const;
/** A history holds some 50,000 events, and a poll makes eleven of them. */
const MAX_POLLS = 3000;
const HOUR_MS = 3_600_000;

export async function plan({ converted, emr }: EmrDeps, { runId }: EmrRun): Promise<EmrPlan> {
  s3Of(converted);
  const instances = instanceCount(emr, await requestAdditions(emr));
  assertAffordable(emr, instances, 0);
  for (const name of SCRIPTS) {
    const path = new URL(`../conversion/spark/${name}`, import.meta.url);
    await converted.put(scriptKey(runId, name), await readFile(path));
  }
  const shutDown = new URL('../emr/shut-down-after.sh', import.meta.url);
  await converted.put(SHUT_DOWN_KEY, await readFile(shutDown));
  const { provisioningLimitMs, bootstrapLimitMs, stepLimitMs } = emr;
  const longestMs = provisioningLimitMs + bootstrapLimitMs + stepLimitMs;
  return {
    output: emr.output,
    instances,
    pollMs: Math.max(emr.pollMs, Math.ceil(longestMs / MAX_POLLS)),
    provisioningLimitMs,
    bootstrapLimitMs,
    stepLimitMs,
    maxInstanceHours: emr.maxInstanceHours,
    keepAlive: emr.keepAliveMs !== undefined,
  };
}

/**
 * Before a cluster is made: what it may cost at the most, if every phase takes as long as it may. While it runs, the
 * hours that it has really used are what counts.
 * @throws LonghaulError EMR_TOO_EXPENSIVE.
 */
export function assertAffordable(
  emr: EmrSettings,
  instances: number,
  usedInstanceHours: number,
): void {
  if (emr.clusterId !== undefined) return;
  const { provisioningLimitMs, bootstrapLimitMs, stepLimitMs, maxInstanceHours } = emr;
  const hours = (provisioningLimitMs + bootstrapLimitMs + stepLimitMs) / HOUR_MS;
  const total = usedInstanceHours + instances * hours;
  if (total <= maxInstanceHours) return;
  const used = usedInstanceHours > 0 ? `${usedInstanceHours.toFixed(1)} used and ` : '';
  throw new LonghaulError(
    'EMR_TOO_EXPENSIVE',
    `${instances} instances for up to ${hours.toFixed(1)} hours are ${used}${(instances * hours).toFixed(1)} instance-hours; EMR_MAX_INSTANCE_HOURS is ${maxInstanceHours}.`,
  );
}

/** Not in a run's staging: a node that a kept cluster gets later runs it too. */
export const SHUT_DOWN_KEY = '_emr/shut-down-after.sh';

/** @throws LonghaulError EMR_NEEDS_S3 for a lake on a disk. */
export function s3Of(store: Store): S3Settings {
  if (isInBucket(store)) return store.s3.settings;
  throw new LonghaulError('EMR_NEEDS_S3', 'A cluster cannot read a lake that lies on a disk.');
}

export function scriptKey(runId: string, name: string): string {
  return `${stagingPrefix(runId)}_emr/${name}`;
}
