import type {
  AddJobFlowStepsInput,
  AddTagsInput,
  CancelStepsInput,
  DescribeClusterInput,
  DescribeStepInput,
  ListClustersInput,
  ListStepsInput,
  PutAutoTerminationPolicyInput,
  RunJobFlowInput,
  SetTerminationProtectionInput,
  TerminateJobFlowsInput,
} from '@aws-sdk/client-emr';
import { invalidRequest, validation } from './api-error.ts';
import type { Clusters } from './clusters.ts';
import { endCluster, USER_REQUEST, type Cluster } from './model.ts';
import { pageOf } from './paging.ts';
import { cancelStep } from './step-queue.ts';
import { checkIdleTimeout, checkSteps, validateCluster } from './validate-cluster.ts';
import { describeCluster, describeStep, summarise } from './views.ts';

/** What an action answers: dates are Date; an empty answer is `{}`. */
type Action = (input: never, clusters: Clusters) => object;

/** Undefined where this server has none of that name: it has what Longhaul asks of EMR. */
export function actionOf(name: string): Action | undefined {
  return Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
}

const ACTIONS: Readonly<Record<string, Action>> = {
  RunJobFlow: (input: RunJobFlowInput, clusters: Clusters) => {
    validateCluster(input, clusters.context.account);
    const { id, arn } = clusters.create(input);
    return { JobFlowId: id, ClusterArn: arn };
  },

  DescribeCluster: ({ ClusterId: id }: DescribeClusterInput, clusters: Clusters) => {
    return { Cluster: describeCluster(clusters.get(id)) };
  },

  ListClusters: (input: ListClustersInput, clusters: Clusters) => {
    const found = clusters.all().filter((cluster) => isListed(cluster, input));
    const { page, marker } = pageOf(found, input.Marker);
    return {
      Clusters: page.map(summarise),
      Marker: marker,
    };
  },

  TerminateJobFlows: ({ JobFlowIds: ids = [] }: TerminateJobFlowsInput, clusters: Clusters) => {
    if (ids.length > MAX_TERMINATED)
      throw validation(`At most ${MAX_TERMINATED} job flows at once.`);
    const found = ids.map((id) => clusters.find(id) ?? unknownJobFlow());
    const [locked, free] = [true, false].map((is) =>
      found.filter((each) => each.isProtected === is),
    );
    for (const cluster of free ?? []) endCluster(cluster, USER_REQUEST);
    if (!locked || locked.length === 0) return {};
    throw validation(
      'Could not shut down one or more job flows since they are termination protected.',
    );
  },

  SetTerminationProtection: (input: SetTerminationProtectionInput, clusters: Clusters) => {
    const { JobFlowIds: ids = [], TerminationProtected: isProtected = false } = input;
    for (const id of ids) clusters.open(id).isProtected = isProtected;
    return {};
  },

  PutAutoTerminationPolicy: (input: PutAutoTerminationPolicyInput, clusters: Clusters) => {
    const cluster = clusters.get(input.ClusterId);
    const seconds = input.AutoTerminationPolicy?.IdleTimeout;
    checkIdleTimeout(seconds);
    clusters.open(cluster.id).idleTimeout = seconds ?? DEFAULT_IDLE_SECONDS;
    cluster.wake();
    return {};
  },

  AddTags: ({ ResourceId: id, Tags: tags = [] }: AddTagsInput, clusters: Clusters) => {
    const cluster = clusters.get(id);
    const kept = cluster.tags.filter(({ Key }) => !tags.some((tag) => tag.Key === Key));
    cluster.tags = [...kept, ...tags];
    return {};
  },

  AddJobFlowSteps: (input: AddJobFlowStepsInput, clusters: Clusters) => {
    const cluster = clusters.open(input.JobFlowId);
    const steps = input.Steps ?? [];
    if (steps.length === 0) throw validation('At least one step is required.');
    checkSteps(steps, cluster.stepConcurrency, clusters.openSteps(cluster));
    return { StepIds: clusters.addSteps(cluster, steps).map(({ id }) => id) };
  },

  DescribeStep: ({ ClusterId: cluster, StepId: id }: DescribeStepInput, clusters: Clusters) => {
    const step = clusters.get(cluster).steps.find((each) => each.id === id);
    if (!step) throw unknownStep(id);
    return { Step: describeStep(step) };
  },

  ListSteps: (input: ListStepsInput, clusters: Clusters) => {
    const { StepIds: ids = [], StepStates: states = [], Marker: givenMarker } = input;
    if (ids.length > MAX_LISTED_IDS)
      throw invalidRequest(`At most ${MAX_LISTED_IDS} step IDs may be given.`);
    if (ids.length > 0 && states.length > 0) {
      throw invalidRequest('Step IDs and step states cannot be given together.');
    }
    const newestFirst = clusters.get(input.ClusterId).steps.toReversed();
    const unknown = ids.find((id) => !newestFirst.some((step) => step.id === id));
    if (unknown !== undefined) throw unknownStep(unknown);
    const found = newestFirst.filter(
      ({ id, state }) =>
        (ids.length === 0 || ids.includes(id)) && (states.length === 0 || states.includes(state)),
    );
    const { page, marker } = pageOf(found, givenMarker);
    return { Steps: page.map(describeStep), Marker: marker };
  },

  CancelSteps: (input: CancelStepsInput, clusters: Clusters) => {
    const cluster = clusters.get(input.ClusterId);
    const how = input.StepCancellationOption ?? 'SEND_INTERRUPT';
    const infos = (input.StepIds ?? []).map((id) => {
      const step = cluster.steps.find((each) => each.id === id);
      if (!step) throw unknownStep(id);
      const isAsked = cancelStep(step, how, clusters.context.now());
      if (isAsked) return { StepId: id, Status: 'SUBMITTED' };
      const reason = 'The step cannot be cancelled: it is neither PENDING nor RUNNING.';
      return { StepId: id, Status: 'FAILED', Reason: reason };
    });
    cluster.wake();
    return { CancelStepsInfoList: infos };
  },
};

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

const MAX_LISTED_IDS = 10;

function unknownStep(id: string | undefined): Error {
  return invalidRequest(`Step id '${id ?? ''}' is not valid.`, 'NoSuchStep');
}
