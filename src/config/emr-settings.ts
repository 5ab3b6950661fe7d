import { resolve } from 'node:path';
import type { SettingValues } from './setting-keys.ts';
import type { EmrSettings } from './settings.ts';

/** One master and two core nodes with HDFS: the least that has two machines' worth of tasks. */
const DEFAULT_TYPE = 'm7g.xlarge';
const DEFAULT_CORE_COUNT = 2;
const MINUTE_MS = 60_000;

export function emrSettings(values: SettingValues, cwd: string): EmrSettings {
  return {
    releaseLabel: values.EMR_RELEASE_LABEL ?? 'emr-7.13.0',
    instanceType: values.EMR_INSTANCE_TYPE ?? DEFAULT_TYPE,
    coreCount: values.EMR_CORE_COUNT ?? DEFAULT_CORE_COUNT,
    subnetId: values.EMR_SUBNET_ID,
    serviceRole: values.EMR_SERVICE_ROLE ?? 'EMR_DefaultRole',
    instanceProfile: values.EMR_INSTANCE_PROFILE ?? 'EMR_EC2_DefaultRole',
    logUri: values.EMR_LOG_URI,
    requestFile: values.EMR_REQUEST === undefined ? undefined : resolve(cwd, values.EMR_REQUEST),
    keepAliveMs: values.EMR_KEEP_ALIVE,
    clusterId: values.EMR_CLUSTER_ID,
    output: values.EMR_OUTPUT ?? 'both',
    maxInstanceHours: values.EMR_MAX_INSTANCE_HOURS ?? 24,
    applicationId: values.EMR_SERVERLESS_APPLICATION_ID,
    jobRoleArn: values.EMR_SERVERLESS_ROLE_ARN,
    stepLimitMs: Math.round((values.EMR_STEP_LIMIT_MINUTES ?? 180) * MINUTE_MS),
  };
}

/** Paid for, and gone at once. */
export function problemOfEmr({ output, keepAliveMs, clusterId }: EmrSettings): string | undefined {
  if (output !== 'hdfs' || keepAliveMs !== undefined || clusterId !== undefined) return undefined;
  return 'EMR_OUTPUT=hdfs needs EMR_KEEP_ALIVE=2h, or an EMR_CLUSTER_ID: HDFS ends with its cluster';
}
