import type {
  AddJobFlowStepsInput,
  AddTagsInput,
  CancelStepsInput,
  Cluster as ClusterDescription,
  DescribeClusterInput,
  ListClustersInput,
  ListStepsInput,
  PutAutoTerminationPolicyInput,
  RunJobFlowInput,
  SetTerminationProtectionInput,
  Step as StepDescription,
  TerminateJobFlowsInput,
} from '@aws-sdk/client-emr';
import { ApiError, validation } from '../aws-api.ts';
import { newStep, terminateByUser, type Cluster, type Step } from './cluster.ts';
import type { Clusters } from './emr-server.ts';
import { cancelStep } from './step-queue.ts';
import { checkIdleTimeout, checkSteps } from './validate-cluster.ts';

/** Answers an action. Dates are Date, and an empty answer is `{}`. */
type EmrAction = (input: never, clusters: Clusters) => object;

/** Actions that Longhaul uses. The SDK sends no unknown members, and its types name the required ones. */
export const EMR_ACTIONS: Readonly<Record<string, EmrAction>> = {
  RunJobFlow: (input: RunJobFlowInput, clusters: Clusters) => {
    const { id, arn } = clusters.create(input);
    return { JobFlowId: id, ClusterArn: arn };
  },

  DescribeCluster: ({ ClusterId }: DescribeClusterInput, clusters: Clusters) => {
    return { Cluster: describeCluster(known(clusters, ClusterId)) };
  },

  /** Dates in the request are seconds. */
  ListClusters: (input: ListClustersInput, clusters: Clusters) => {
    const { ClusterStates: states = [], CreatedAfter: after = 0, Marker } = input;
    const found = clusters
      .newestFirst()
      .filter(({ created }) => created.getTime() >= Number(after) * 1000)
      .filter(({ state }) => states.length === 0 || states.includes(state));
    const { page, marker } = pageOf(found, Marker);
    return { Clusters: page.map(describeCluster), Marker: marker };
  },

  TerminateJobFlows: ({ JobFlowIds: ids = [] }: TerminateJobFlowsInput, clusters: Clusters) => {
    if (ids.length > MAX_IDS) throw validation(`At most ${MAX_IDS} job flows at once.`);
    const found = ids.map((id) => {
      const cluster = clusters.find(id);
      if (!cluster) throw validation('Specified job flow ID does not exist.');
      return cluster;
    });
    for (const cluster of found) if (!cluster.isProtected) terminateByUser(cluster);
    if (!found.some(({ isProtected }) => isProtected)) return {};
    throw validation(
      'Could not shut down one or more job flows since they are termination protected.',
    );
  },

  SetTerminationProtection: (input: SetTerminationProtectionInput, clusters: Clusters) => {
    const { JobFlowIds: ids = [], TerminationProtected: isProtected = false } = input;
    for (const id of ids) changeable(clusters, id).isProtected = isProtected;
    return {};
  },

  PutAutoTerminationPolicy: (input: PutAutoTerminationPolicyInput, clusters: Clusters) => {
    const cluster = changeable(clusters, input.ClusterId);
    const seconds = input.AutoTerminationPolicy?.IdleTimeout;
    checkIdleTimeout(seconds);
    cluster.idleTimeout = seconds ?? DEFAULT_IDLE_SECONDS;
    cluster.wake();
    return {};
  },

  AddTags: ({ ResourceId, Tags: tags = [] }: AddTagsInput, clusters: Clusters) => {
    const cluster = known(clusters, ResourceId);
    const kept = cluster.tags.filter(({ Key }) => !tags.some((tag) => tag.Key === Key));
    cluster.tags = [...kept, ...tags];
    return {};
  },

  AddJobFlowSteps: (
    { JobFlowId, Steps: configs = [] }: AddJobFlowStepsInput,
    clusters: Clusters,
  ) => {
    const cluster = changeable(clusters, JobFlowId);
    if (configs.length === 0) throw validation('At least one step is required.');
    checkSteps(configs, clusters.openSteps(cluster));
    const steps = configs.map(newStep);
    cluster.steps.push(...steps);
    cluster.wake();
    return { StepIds: steps.map(({ id }) => id) };
  },

  ListSteps: (input: ListStepsInput, clusters: Clusters) => {
    const { StepIds: ids = [], StepStates: states = [], Marker } = input;
    if (ids.length > MAX_IDS) throw invalidRequest(`At most ${MAX_IDS} step IDs may be given.`);
    const { steps } = known(clusters, input.ClusterId);
    const unknown = ids.find((id) => !steps.some((step) => step.id === id));
    if (unknown !== undefined) throw invalidRequest(`Step id '${unknown}' is not valid.`);
    const found = steps
      .toReversed()
      .filter(({ id }) => ids.length === 0 || ids.includes(id))
      .filter(({ state }) => states.length === 0 || states.includes(state));
    const { page, marker } = pageOf(found, Marker);
    return { Steps: page.map(describeStep), Marker: marker };
  },

  CancelSteps: ({ ClusterId, StepIds: ids = [] }: CancelStepsInput, clusters: Clusters) => {
    const { steps } = known(clusters, ClusterId);
    const infos = ids.map((StepId) => {
      const step = steps.find(({ id }) => id === StepId);
      if (!step) throw invalidRequest(`Step id '${StepId}' is not valid.`);
      if (cancelStep(step)) return { StepId, Status: 'SUBMITTED' };
      const Reason = 'The step cannot be cancelled: it is neither PENDING nor RUNNING.';
      return { StepId, Status: 'FAILED', Reason };
    });
    return { CancelStepsInfoList: infos };
  },
};

/** Most ids in one request. */
const MAX_IDS = 10;
const DEFAULT_IDLE_SECONDS = 3600;

/** The error of Describe, List and the other actions of 2013 and later. */
function invalidRequest(message: string): ApiError {
  return new ApiError('InvalidRequestException', message);
}

function known(clusters: Clusters, id = ''): Cluster {
  const cluster = clusters.find(id);
  if (!cluster) throw invalidRequest(`Cluster id '${id}' is not valid.`);
  return cluster;
}

function changeable(clusters: Clusters, id = ''): Cluster {
  const cluster = clusters.find(id);
  if (!cluster) throw validation('Specified job flow ID not valid.');
  if (!cluster.ending) return cluster;
  throw validation(
    'A job flow that is shutting down, terminated, or finished may not be modified.',
  );
}

/** Items on a page of EMR's lists. */
const PAGE_SIZE = 50;

/** The marker is the last id of the page before. Items that are added at the front do not move it. */
function pageOf<Item extends { id: string }>(
  items: readonly Item[],
  marker: string | undefined,
): { page: Item[]; marker: string | undefined } {
  const start = marker === undefined ? 0 : items.findIndex(({ id }) => id === marker) + 1;
  if (marker !== undefined && start === 0) throw invalidRequest(`Marker '${marker}' is not valid.`);
  const page = items.slice(start, start + PAGE_SIZE);
  return { page, marker: start + PAGE_SIZE < items.length ? page.at(-1)?.id : undefined };
}

function describeCluster(cluster: Cluster): ClusterDescription {
  const { id, arn, request, tags, state, reason, created, ready, ended } = cluster;
  return {
    Id: id,
    Name: request.Name ?? '',
    ClusterArn: arn,
    LogUri: request.LogUri,
    ReleaseLabel: request.ReleaseLabel,
    Tags: tags,
    Status: {
      State: state,
      StateChangeReason: reason,
      Timeline: { CreationDateTime: created, ReadyDateTime: ready, EndDateTime: ended },
    },
  };
}

function describeStep({ id, config, state, failure, ...step }: Step): StepDescription {
  const { Name, ActionOnFailure, HadoopJarStep: { Jar, Args } = {} } = config;
  const { created, started, ended } = step;
  return {
    Id: id,
    Name,
    Config: { Jar, Args },
    ActionOnFailure,
    Status: {
      State: state,
      FailureDetails: failure,
      Timeline: { CreationDateTime: created, StartDateTime: started, EndDateTime: ended },
    },
  };
}
