import type {
  Cluster as ClusterDescription,
  ClusterSummary,
  ClusterStatus,
  Step as StepDescription,
  StepStatus,
} from '@aws-sdk/client-emr';
import type { Cluster, Step } from './model.ts';

/** As DescribeCluster answers it. Dates are Date, and sent as seconds. */
export function describeCluster(cluster: Cluster): ClusterDescription {
  const { request, tags, keepAlive, stepConcurrency, webHdfsUrl } = cluster;
  return {
    ...summarise(cluster),
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
export function summarise(cluster: Cluster): ClusterSummary {
  return {
    Id: cluster.id,
    Name: cluster.request.Name ?? '',
    ClusterArn: cluster.arn,
    Status: statusOf(cluster),
  };
}

function statusOf(cluster: Cluster): ClusterStatus {
  const { state, reason, createdMs, readyMs, endedMs } = cluster;
  return {
    State: state,
    StateChangeReason: reason,
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
