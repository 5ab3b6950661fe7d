import {
  AddJobFlowStepsCommand,
  CancelStepsCommand,
  ListStepsCommand,
  type ListStepsCommandOutput,
  type StepConfig,
  type StepSummary,
} from '@aws-sdk/client-emr';
import { LonghaulError } from '../model/errors.ts';
import type { EmrStep } from '../model/emr.ts';
import { printable } from '../model/names.ts';
import type { EmrApi } from './api.ts';

/** EMR's limit for the ids of one ListSteps. */
const MAX_LISTED_IDS = 10;

/** A command of the cluster's command-runner.jar, as an argument list that no shell sees. */
export function commandStep(name: string, args: string[]): StepConfig {
  return {
    Name: name,
    // A failed step is this run's to deal with; other steps of the cluster go on.
    ActionOnFailure: 'CONTINUE',
    HadoopJarStep: { Jar: 'command-runner.jar', Args: args },
  };
}

/** Client mode: what the job prints and why it fails is then in the step's own log. */
export function sparkArgs(scriptUri: string, args: string[]): string[] {
  return ['spark-submit', '--deploy-mode', 'client', scriptUri, ...args];
}

/** The files below one folder to another one, HDFS or S3 whichever, whose whole path the pattern matches. */
export function copyArgs(from: string, to: string, pattern: string): string[] {
  return ['s3-dist-cp', '--src', from, '--dest', to, '--srcPattern', pattern];
}

/** Undefined where the cluster has no step of that name. Names are ours, and made once. */
export async function findStep(
  api: EmrApi,
  clusterId: string,
  name: string,
  signal?: AbortSignal,
): Promise<EmrStep | undefined> {
  let marker: string | undefined;
  do {
    const page: ListStepsCommandOutput = await api.send(
      new ListStepsCommand({
        ClusterId: clusterId,
        Marker: marker,
      }),
      { signal },
    );
    const found = page.Steps?.find((step) => step.Name === name);
    if (found) return stepOf(found);
    marker = page.Marker === undefined || page.Marker === '' ? undefined : page.Marker;
  } while (marker !== undefined);
  return undefined;
}

/** Sent once. @returns the step's id. @throws LonghaulError EMR_STEPS_FULL, EMR_…. */
export async function addStep(
  api: EmrApi,
  clusterId: string,
  step: StepConfig,
  signal?: AbortSignal,
): Promise<string> {
  const command = new AddJobFlowStepsCommand({ JobFlowId: clusterId, Steps: [step] });
  const { StepIds } = await api.send(command, { once: true, signal });
  const [id] = StepIds ?? [];
  if (id !== undefined) return id;
  throw new LonghaulError('EMR_UNAVAILABLE', 'EMR took a step and did not say its id.');
}

/** Steps in no order; one that EMR does not know any more is left out. */
export async function describeSteps(
  api: EmrApi,
  clusterId: string,
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<EmrStep[]> {
  const steps: EmrStep[] = [];
  for (let first = 0; first < ids.length; first += MAX_LISTED_IDS) {
    const StepIds = ids.slice(first, first + MAX_LISTED_IDS);
    const command = new ListStepsCommand({ ClusterId: clusterId, StepIds });
    const { Steps } = await api.send(command, { signal });
    steps.push(...(Steps ?? []).map(stepOf));
  }
  return steps;
}

/** Best effort, as EMR has it: one that has ended stays as it is. */
export async function cancelSteps(
  api: EmrApi,
  clusterId: string,
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  if (ids.length === 0) return;
  const command = new CancelStepsCommand({
    ClusterId: clusterId,
    StepIds: [...ids],
    StepCancellationOption: 'TERMINATE_PROCESS',
  });
  await api.send(command, { signal });
}

function stepOf({ Id = '', Status }: StepSummary): EmrStep {
  const { State, StateChangeReason: change, FailureDetails: failure, Timeline } = Status ?? {};
  const words = [change?.Message, failure?.Reason, failure?.Message].filter(
    (each) => each !== undefined && each !== '' && each !== 'Unknown Error',
  );
  const startedAtMs = Timeline?.StartDateTime?.getTime();
  return {
    id: Id,
    state: State ?? 'PENDING',
    ...(words.length === 0
      ? {}
      : { reason: printable([...new Set(words)].join(': ')).slice(0, MAX_REASON_CHARACTERS) }),
    startedAtMs,
  };
}

/** The reason becomes part of a history with each poll that changes something. */
const MAX_REASON_CHARACTERS = 500;
