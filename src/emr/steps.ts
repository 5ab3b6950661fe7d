import {
  AddJobFlowStepsCommand,
  CancelStepsCommand,
  ListStepsCommand,
  type ListStepsCommandOutput,
  type StepConfig,
  type StepSummary,
} from '@aws-sdk/client-emr';
import { LonghaulError } from '../model/errors.ts';
import { stepName, type EmrStep } from '../model/emr.ts';
import { printable } from '../model/names.ts';
import { askEmr } from './api.ts';
import { putBatch, putScript } from '../conversion/spark/remote-batch.ts';
import { isDoubtful } from './errors.ts';
import type { EmrDeps } from './plan.ts';
import { putCount, copiedParts, emrBatch, hdfsManifest, hdfsOutput, hdfsStaging } from './hdfs.ts';
import type { SubmitInput } from '../model/emr-inputs.ts';

/** Finds or makes the step of that name. @throws LonghaulError EMR_STEPS_FULL, EMR_…. */
export async function submitStep(
  deps: EmrDeps,
  input: SubmitInput,
  signal: AbortSignal,
): Promise<EmrStep> {
  const { clusterId } = input;
  const name = stepName(input);
  const known = await findStep(clusterId, name, signal);
  if (known) return known;
  const step = commandStep(name, await argsOf(deps, input, signal));
  try {
    const command = new AddJobFlowStepsCommand({ JobFlowId: clusterId, Steps: [step] });
    const { StepIds: [id] = [] } = await askEmr(command, { once: true });
    if (id !== undefined) return { id, state: 'PENDING' };
    throw new LonghaulError('EMR_UNAVAILABLE', 'EMR took a step, and its answer has no id.');
  } catch (error) {
    // EMR may have made the step, and only its answer was lost. The step must not run twice.
    const made = isDoubtful(error) ? await findStep(clusterId, name) : undefined;
    if (made) return made;
    throw error;
  }
}

/** Writes the step's input into the lake. @returns the command that starts the step. */
async function argsOf(deps: EmrDeps, input: SubmitInput, signal: AbortSignal): Promise<string[]> {
  const { kind, generation, ids = [], runId } = input;
  const { converted } = deps;
  const batch = emrBatch(input, generation);
  if (kind === 'copy') {
    const { key, from, pattern } = copiedParts(batch);
    return copyArgs(from, converted.uri(key), pattern);
  }
  const script = await putScript(deps, runId);
  if (kind === 'count') {
    return sparkArgs(script, ['--count', '--job', await putCount(deps, batch, input, signal)]);
  }
  const job = await putBatch(deps, batch, ids, (id) => ({
    output: hdfsOutput(batch, id),
    staging: hdfsStaging(batch, id),
    unless: hdfsManifest(batch),
  }));
  return sparkArgs(script, ['--job', job]);
}

/** A command for the cluster's command-runner.jar, as a list of arguments that no shell reads. */
export function commandStep(name: string, args: string[]): StepConfig {
  return {
    Name: name,
    // The run itself deals with a failed step. Other steps of the cluster go on.
    ActionOnFailure: 'CONTINUE',
    HadoopJarStep: { Jar: 'command-runner.jar', Args: args },
  };
}

/** In client mode the step's own log holds the job's output and errors. */
export function sparkArgs(scriptUri: string, args: string[]): string[] {
  return ['spark-submit', '--deploy-mode', 'client', scriptUri, ...args];
}

/** Copies all files below `from` whose whole path matches the pattern. Both folders may be on HDFS or in S3. */
export function copyArgs(from: string, to: string, pattern: string): string[] {
  return ['s3-dist-cp', '--src', from, '--dest', to, '--srcPattern', pattern];
}

/** Undefined if the cluster has no step of that name. Longhaul chooses the names, and uses each only once. */
async function findStep(
  clusterId: string,
  name: string,
  signal?: AbortSignal,
): Promise<EmrStep | undefined> {
  let marker: string | undefined;
  do {
    const command = new ListStepsCommand({ ClusterId: clusterId, Marker: marker });
    const page: ListStepsCommandOutput = await askEmr(command, { signal });
    const found = page.Steps?.find((step) => step.Name === name);
    if (found) return stepOf(found);
    marker = page.Marker;
  } while (marker);
  return undefined;
}

/** Undefined if EMR does not know the step any more. */
export async function describeStep(
  clusterId: string,
  id: string,
  signal?: AbortSignal,
): Promise<EmrStep | undefined> {
  const command = new ListStepsCommand({ ClusterId: clusterId, StepIds: [id] });
  const { Steps: [step] = [] } = await askEmr(command, { signal });
  return step && stepOf(step);
}

/** EMR cancels steps by best effort: a step that has ended stays as it is. */
export async function cancelSteps(
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
  await askEmr(command, { signal });
}

function stepOf({ Id = '', Status }: StepSummary): EmrStep {
  const { State, StateChangeReason: change, FailureDetails: failure, Timeline } = Status ?? {};
  const words = [change?.Message, failure?.Reason, failure?.Message].filter(
    (each) => each !== undefined && each !== '' && each !== 'Unknown Error',
  );
  const reason = printable([...new Set(words)].join(': ')).slice(0, MAX_REASON_CHARACTERS);
  return {
    id: Id,
    state: State ?? 'PENDING',
    reason: reason === '' ? undefined : reason,
    startedAtMs: Timeline?.StartDateTime?.getTime(),
  };
}

/** Each poll with a change puts the reason into the workflow's history. Longer reasons are cut. */
const MAX_REASON_CHARACTERS = 500;
