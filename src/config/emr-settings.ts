import type { SettingValues } from './setting-keys.ts';
import type { EmrSettings } from './settings.ts';

/** One master and two core nodes with HDFS: the least that has two machines' worth of tasks. */
const DEFAULT_TYPE = 'm5.xlarge';
const DEFAULT_CORE_COUNT = 2;
const MINUTE_MS = 60_000;

export function emrSettings(values: SettingValues): EmrSettings {
  const minutes = (value: number): number => Math.round(value * MINUTE_MS);
  return {
    releaseLabel: values.EMR_RELEASE_LABEL ?? 'emr-7.10.0',
    applications: values.EMR_APPLICATIONS ?? ['Hadoop', 'Spark'],
    master: { type: values.EMR_MASTER_TYPE ?? DEFAULT_TYPE, count: values.EMR_MASTER_COUNT ?? 1 },
    core: {
      type: values.EMR_CORE_TYPE ?? DEFAULT_TYPE,
      count: values.EMR_CORE_COUNT ?? DEFAULT_CORE_COUNT,
    },
    task: { type: values.EMR_TASK_TYPE ?? DEFAULT_TYPE, count: values.EMR_TASK_COUNT ?? 0 },
    spot: values.EMR_SPOT ?? 'none',
    spotTimeoutMinutes: values.EMR_SPOT_TIMEOUT_MINUTES ?? 10,
    subnetId: values.EMR_SUBNET_ID,
    serviceRole: values.EMR_SERVICE_ROLE ?? 'EMR_DefaultRole',
    instanceProfile: values.EMR_INSTANCE_PROFILE ?? 'EMR_EC2_DefaultRole',
    logUri: values.EMR_LOG_URI,
    tags: values.EMR_TAGS ?? {},
    bootstrapActions: values.EMR_BOOTSTRAP_ACTIONS ?? [],
    sparkConf: values.EMR_SPARK_CONF ?? {},
    stepConcurrency: values.EMR_STEP_CONCURRENCY ?? 1,
    idleTimeoutMs: minutes(values.EMR_IDLE_TIMEOUT_MINUTES ?? 60),
    keepAliveMs: values.EMR_KEEP_ALIVE,
    clusterId: values.EMR_CLUSTER_ID,
    output: values.EMR_OUTPUT ?? 'both',
    maxInstanceHours: values.EMR_MAX_INSTANCE_HOURS ?? 24,
    pollMs: Math.round((values.EMR_POLL_SECONDS ?? 30) * 1000),
    provisioningLimitMs: minutes(values.EMR_PROVISIONING_LIMIT_MINUTES ?? 30),
    bootstrapLimitMs: minutes(values.EMR_BOOTSTRAP_LIMIT_MINUTES ?? 30),
    stepLimitMs: minutes(values.EMR_STEP_LIMIT_MINUTES ?? 180),
    webHdfsUrl: values.EMR_WEBHDFS_URL ?? 'http://{master}:9870',
  };
}

/** Paid for, and gone at once. */
export function problemOfEmr({ output, keepAliveMs, clusterId }: EmrSettings): string | undefined {
  if (output !== 'hdfs' || keepAliveMs !== undefined || clusterId !== undefined) return undefined;
  return 'EMR_OUTPUT=hdfs needs EMR_KEEP_ALIVE=2h, or an EMR_CLUSTER_ID: HDFS ends with its cluster';
}
