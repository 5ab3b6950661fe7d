import type {
  Cluster as ClusterDescription,
  ClusterSummary,
  ClusterStatus,
  Step as StepDescription,
  StepStatus,
} from '@aws-sdk/client-emr';
import type { Cluster, Step } from './model.ts';

/** As DescribeCluster answers it. Dates are Date, and sent as seconds. */
export function describeCluster(cluster: Cluster, nowMs: number): ClusterDescription {
  const { request, tags, keepAlive, stepConcurrency, webHdfsUrl } = cluster;
  return {
    ...summarise(cluster, nowMs),
    LogUri: request.LogUri,
    ReleaseLabel: request.ReleaseLabel,
    AutoTerminate: !keepAlive,
    Applications: request.Applications,
    Tags: tags,
    StepConcurrencyLevel: stepConcurrency,
    MasterPublicDnsName: webHdfsUrl && 'localhost',
  };
}

/** As ListClusters answers it. */
export function summarise(cluster: Cluster, nowMs: number): ClusterSummary {
  return {
    Id: cluster.id,
    Name: cluster.request.Name ?? '',
    ClusterArn: cluster.arn,
    NormalizedInstanceHours: normalizedHours(cluster, nowMs),
    Status: statusOf(cluster),
  };
}

/** Whole hours of all instances, each times what EC2 calls its size. */
function normalizedHours({ request, readyMs, endedMs }: Cluster, nowMs: number): number {
  if (readyMs === undefined) return 0;
  const hours = Math.floor(((endedMs ?? nowMs) - readyMs) / HOUR_MS);
  const groups = request.Instances?.InstanceGroups ?? [];
  const weights = groups.map(
    ({ InstanceType = '', InstanceCount = 1 }) => InstanceCount * sizeOf(InstanceType),
  );
  return hours * weights.reduce((sum, each) => sum + each, 0);
}

const HOUR_MS = 3_600_000;

/** `m5.4xlarge` → 32, as EC2's normalization factors. */
function sizeOf(type: string): number {
  const [, count = '', size = ''] = /\.(\d*)(\w+)$/.exec(type) ?? [];
  const whole = { small: 1, medium: 2, large: 4, xlarge: 8 }[size] ?? 8;
  return whole * (count === '' ? 1 : Number(count));
}

function statusOf(cluster: Cluster): ClusterStatus {
  const { state, reason, errors, createdMs, readyMs, endedMs } = cluster;
  return {
    State: state,
    StateChangeReason: reason,
    ErrorDetails: errors.length > 0 ? errors : undefined,
    Timeline: {
      CreationDateTime: new Date(createdMs),
      ReadyDateTime: dateOf(readyMs),
      EndDateTime: dateOf(endedMs),
    },
  };
}

function dateOf(ms: number | undefined): Date | undefined {
  return ms === undefined ? undefined : new Date(ms);
}

/** As DescribeStep and ListSteps answer it. */
export function describeStep(step: Step): StepDescription {
  const { id, config } = step;
  const { Jar = '', MainClass, Args = [], Properties = [] } = config.HadoopJarStep ?? {};
  const properties = Properties.map(({ Key = '', Value = '' }) => [Key, Value] as const);
  return {
    Id: id,
    Name: config.Name ?? '',
    Config: {
      Jar,
      MainClass,
      Args,
      Properties: Object.fromEntries(properties),
    },
    ActionOnFailure: config.ActionOnFailure ?? 'TERMINATE_CLUSTER',
    Status: stepStatusOf(step),
  };
}

function stepStatusOf(step: Step): StepStatus {
  const { state, reason, failure, createdMs, startedMs, endedMs } = step;
  return {
    State: state,
    StateChangeReason: reason,
    FailureDetails: failure,
    Timeline: {
      CreationDateTime: new Date(createdMs),
      StartDateTime: dateOf(startedMs),
      EndDateTime: dateOf(endedMs),
    },
  };
}
