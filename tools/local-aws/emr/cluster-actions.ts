import type {
  AddTagsInput,
  DescribeClusterInput,
  GetAutoTerminationPolicyInput,
  ListBootstrapActionsInput,
  ListClustersInput,
  ListInstanceGroupsInput,
  ModifyClusterInput,
  PutAutoTerminationPolicyInput,
  RemoveAutoTerminationPolicyInput,
  RemoveTagsInput,
  RunJobFlowInput,
  SetKeepJobFlowAliveWhenNoStepsInput,
  SetTerminationProtectionInput,
  TerminateJobFlowsInput,
} from '@aws-sdk/client-emr';
import { invalidRequest, validation } from './api-error.ts';
import type { Clusters } from './clusters.ts';
import { endCluster, isEnded, USER_REQUEST, type Cluster } from './model.ts';
import { pageOf } from './paging.ts';
import {
  checkConcurrency,
  checkIdleTimeout,
  checkTags,
  validateCluster,
} from './validate-cluster.ts';
import { describeCluster, describeGroups, summarise } from './views.ts';

export const clusterActions = {
  RunJobFlow: (input: RunJobFlowInput, clusters: Clusters) => {
    validateCluster(input, clusters.world.facts);
    const { id, arn } = clusters.create(input);
    return { JobFlowId: id, ClusterArn: arn };
  },

  DescribeCluster: ({ ClusterId: id }: DescribeClusterInput, clusters: Clusters) => {
    return { Cluster: describeCluster(clusters.get(id), clusters.world.now()) };
  },

  ListClusters: (input: ListClustersInput, clusters: Clusters) => {
    const found = clusters.all().filter((cluster) => isListed(cluster, input));
    const { page, marker } = pageOf(found, ({ id }) => id, input.Marker);
    return { Clusters: page.map((each) => summarise(each, clusters.world.now())), Marker: marker };
  },

  TerminateJobFlows: ({ JobFlowIds: ids = [] }: TerminateJobFlowsInput, clusters: Clusters) => {
    if (ids.length > MAX_TERMINATED)
      throw validation(`At most ${MAX_TERMINATED} job flows at once.`);
    const found = ids.map((id) => clusters.find(id) ?? unknownJobFlow());
    for (const cluster of found.filter((each) => !each.terminationProtected))
      endCluster(cluster, USER_REQUEST);
    if (
      found.some(
        ({ terminationProtected, endedMs }) => terminationProtected && endedMs === undefined,
      )
    ) {
      throw validation(
        'Could not shut down one or more job flows since they are termination protected.',
      );
    }
    return {};
  },

  SetTerminationProtection: (input: SetTerminationProtectionInput, clusters: Clusters) => {
    for (const id of input.JobFlowIds ?? []) {
      clusters.open(id).terminationProtected = input.TerminationProtected ?? false;
    }
    return {};
  },

  SetKeepJobFlowAliveWhenNoSteps: (
    input: SetKeepJobFlowAliveWhenNoStepsInput,
    clusters: Clusters,
  ) => {
    for (const id of input.JobFlowIds ?? []) {
      const cluster = clusters.open(id);
      cluster.keepAlive = input.KeepJobFlowAliveWhenNoSteps ?? false;
      cluster.wake();
    }
    return {};
  },

  ModifyCluster: (input: ModifyClusterInput, clusters: Clusters) => {
    const cluster = clusters.get(input.ClusterId);
    clusters.open(cluster.id);
    const { StepConcurrencyLevel: level = cluster.stepConcurrency } = input;
    checkConcurrency(level);
    const strict = cluster.steps.some(
      (step) => !isEnded(step) && (step.config.ActionOnFailure ?? '') !== 'CONTINUE',
    );
    if (level > 1 && strict) {
      throw invalidRequest('A pending or running step has an ActionOnFailure other than CONTINUE.');
    }
    cluster.stepConcurrency = level;
    cluster.wake();
    return { StepConcurrencyLevel: level };
  },

  PutAutoTerminationPolicy: (input: PutAutoTerminationPolicyInput, clusters: Clusters) => {
    const cluster = clusters.get(input.ClusterId);
    const seconds = input.AutoTerminationPolicy?.IdleTimeout;
    checkIdleTimeout(seconds);
    clusters.open(cluster.id).idleTimeout = seconds ?? DEFAULT_IDLE_SECONDS;
    cluster.wake();
    return {};
  },

  GetAutoTerminationPolicy: (
    { ClusterId: id }: GetAutoTerminationPolicyInput,
    clusters: Clusters,
  ) => {
    const { idleTimeout } = clusters.get(id);
    return idleTimeout === undefined ? {} : { AutoTerminationPolicy: { IdleTimeout: idleTimeout } };
  },

  RemoveAutoTerminationPolicy: (input: RemoveAutoTerminationPolicyInput, clusters: Clusters) => {
    const cluster = clusters.get(input.ClusterId);
    cluster.idleTimeout = undefined;
    cluster.wake();
    return {};
  },

  AddTags: ({ ResourceId: id, Tags: tags = [] }: AddTagsInput, clusters: Clusters) => {
    const cluster = clusters.get(id);
    const kept = cluster.tags.filter(({ Key }) => !tags.some((tag) => tag.Key === Key));
    checkTags([...kept, ...tags]);
    cluster.tags = [...kept, ...tags];
    return {};
  },

  RemoveTags: ({ ResourceId: id, TagKeys: keys = [] }: RemoveTagsInput, clusters: Clusters) => {
    const cluster = clusters.get(id);
    cluster.tags = cluster.tags.filter(({ Key = '' }) => !keys.includes(Key));
    return {};
  },

  ListInstanceGroups: ({ ClusterId: id }: ListInstanceGroupsInput, clusters: Clusters) => {
    const cluster = clusters.get(id);
    if (cluster.request.Instances?.InstanceFleets) {
      throw invalidRequest('Instance fleets and instance groups are mutually exclusive.');
    }
    return { InstanceGroups: describeGroups(cluster) };
  },

  ListBootstrapActions: ({ ClusterId: id }: ListBootstrapActionsInput, clusters: Clusters) => {
    const actions = clusters.get(id).request.BootstrapActions ?? [];
    return {
      BootstrapActions: actions.map(({ Name, ScriptBootstrapAction: script }) => ({
        Name,
        ScriptPath: script?.Path,
        Args: script?.Args ?? [],
      })),
    };
  },
} as const;

/** As the API reference has it. */
const MAX_TERMINATED = 10;
/** Of a policy that names none: an hour. */
const DEFAULT_IDLE_SECONDS = 3600;

function unknownJobFlow(): never {
  throw validation('Specified job flow ID does not exist.');
}

/** Dates are seconds. */
function isListed(cluster: Cluster, input: ListClustersInput): boolean {
  const { ClusterStates: states, CreatedAfter: after, CreatedBefore: before } = input;
  const createdSeconds = cluster.createdMs / 1000;
  if (states && states.length > 0 && !states.includes(cluster.state)) return false;
  if (after !== undefined && createdSeconds < Number(after)) return false;
  return before === undefined || createdSeconds <= Number(before);
}
