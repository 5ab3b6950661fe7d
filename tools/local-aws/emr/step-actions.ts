import type {
  AddJobFlowStepsInput,
  CancelStepsInput,
  DescribeStepInput,
  ListStepsInput,
} from '@aws-sdk/client-emr';
import { invalidRequest, validation } from './api-error.ts';
import type { Clusters } from './clusters.ts';
import { pageOf } from './paging.ts';
import { cancelStep } from './step-queue.ts';
import { checkSteps, MAX_STEPS, tooManySteps } from './validate-cluster.ts';
import { describeStep } from './views.ts';

export const stepActions = {
  AddJobFlowSteps: (input: AddJobFlowStepsInput, clusters: Clusters) => {
    const cluster = clusters.open(input.JobFlowId);
    const steps = input.Steps ?? [];
    if (steps.length === 0) throw validation('At least one step is required.');
    checkSteps(steps, cluster.stepConcurrency);
    const { length: own } = cluster.steps;
    if (cluster.usedSteps + own + steps.length > MAX_STEPS) throw tooManySteps();
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
    const { page, marker } = pageOf(found, ({ id }) => id, givenMarker);
    return { Steps: page.map(describeStep), Marker: marker };
  },

  CancelSteps: (input: CancelStepsInput, clusters: Clusters) => {
    const cluster = clusters.get(input.ClusterId);
    const how = input.StepCancellationOption ?? 'SEND_INTERRUPT';
    if (how !== 'SEND_INTERRUPT' && how !== 'TERMINATE_PROCESS') {
      throw validation(`Invalid step cancellation option: ${String(how)}.`);
    }
    const infos = (input.StepIds ?? []).map((id) => {
      const step = cluster.steps.find((each) => each.id === id);
      if (!step) throw unknownStep(id);
      const isAsked = cancelStep(step, how, clusters.world.now());
      if (isAsked) return { StepId: id, Status: 'SUBMITTED' };
      const reason = 'The step cannot be cancelled: it is neither PENDING nor RUNNING.';
      return { StepId: id, Status: 'FAILED', Reason: reason };
    });
    cluster.wake();
    return { CancelStepsInfoList: infos };
  },
} as const;

/** As the API reference has it. */
const MAX_LISTED_IDS = 10;

function unknownStep(id: string | undefined): Error {
  return invalidRequest(`Step id '${id ?? ''}' is not valid.`, 'NoSuchStep');
}
