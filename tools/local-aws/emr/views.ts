import type {
  Cluster as ClusterDescription,
  ClusterSummary,
  ClusterStatus,
  InstanceGroup,
  Step as StepDescription,
  StepStatus,
} from '@aws-sdk/client-emr';
import type { Cluster, Step } from './model.ts';

/** As DescribeCluster answers it. Dates are Date, and sent as seconds. */
export function describeCluster(cluster: Cluster, nowMs: number): ClusterDescription {
  const { request } = cluster;
  const { Instances: instances } = request;
  return {
    ...summarise(cluster, nowMs),
    LogUri: request.LogUri,
    ReleaseLabel: request.ReleaseLabel ?? '',
    AutoTerminate: !cluster.keepAlive,
    TerminationProtected: cluster.terminationProtected,
    UnhealthyNodeReplacement: instances?.UnhealthyNodeReplacement ?? false,
    VisibleToAllUsers: request.VisibleToAllUsers ?? true,
    Applications: (request.Applications ?? []).map(({ Name = '' }) => ({ Name })),
    Tags: cluster.tags,
    ServiceRole: request.ServiceRole ?? '',
    Configurations: request.Configurations ?? [],
    InstanceCollectionType: instances?.InstanceFleets ? 'INSTANCE_FLEET' : 'INSTANCE_GROUP',
    ScaleDownBehavior: request.ScaleDownBehavior ?? 'TERMINATE_AT_TASK_COMPLETION',
    StepConcurrencyLevel: cluster.stepConcurrency,
    Ec2InstanceAttributes: {
      IamInstanceProfile: request.JobFlowRole ?? '',
      Ec2AvailabilityZone: instances?.Placement?.AvailabilityZone ?? '',
      RequestedEc2SubnetIds: instances?.Ec2SubnetIds ?? [],
      ...(instances?.Ec2SubnetId === undefined ? {} : { Ec2SubnetId: instances.Ec2SubnetId }),
    },
    ...(cluster.readyMs === undefined && cluster.webHdfsUrl === undefined
      ? {}
      : { MasterPublicDnsName: 'localhost' }),
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
    ...(errors.length > 0 ? { ErrorDetails: errors } : {}),
    Timeline: {
      CreationDateTime: new Date(createdMs),
      ...(readyMs === undefined ? {} : { ReadyDateTime: new Date(readyMs) }),
      ...(endedMs === undefined ? {} : { EndDateTime: new Date(endedMs) }),
    },
  };
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
      ...(startedMs === undefined ? {} : { StartDateTime: new Date(startedMs) }),
      ...(endedMs === undefined ? {} : { EndDateTime: new Date(endedMs) }),
    },
  };
}

/** As ListInstanceGroups answers it: the groups that were asked for, all of them this machine. */
export function describeGroups({ request, readyMs, endedMs }: Cluster): InstanceGroup[] {
  const state =
    endedMs !== undefined ? 'TERMINATED' : readyMs !== undefined ? 'RUNNING' : 'PROVISIONING';
  return (request.Instances?.InstanceGroups ?? []).map((group, index) => ({
    Id: `ig-${String(index + 1).padStart(ID_DIGITS, '0')}`,
    Name: group.Name ?? group.InstanceRole ?? '',
    Market: group.Market ?? 'ON_DEMAND',
    InstanceGroupType: group.InstanceRole ?? 'CORE',
    InstanceType: group.InstanceType ?? '',
    RequestedInstanceCount: group.InstanceCount ?? 1,
    RunningInstanceCount: state === 'RUNNING' ? (group.InstanceCount ?? 1) : 0,
    Status: { State: state, StateChangeReason: {} },
  }));
}

const ID_DIGITS = 13;
