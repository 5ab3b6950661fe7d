import { putBatch, putScript } from '../conversion/spark/remote-batch.ts';
import { addStep, commandStep, copyArgs, findStep, sparkArgs } from './steps.ts';
import { stepName, type EmrStep } from '../model/emr.ts';
import { sharedEmrApi } from './api.ts';
import { isAnswerLost } from './errors.ts';
import type { EmrDeps } from './plan.ts';
import { putCount } from './hdfs.ts';
import { copiedParts, emrBatch, hdfsManifest, hdfsOutput, hdfsStaging } from './locations.ts';
import type { SubmitInput } from '../model/emr-inputs.ts';

/** A step of that name, made if it is not there yet, with what it reads. */
export async function submitStep(
  deps: EmrDeps,
  input: SubmitInput,
  signal: AbortSignal,
): Promise<EmrStep> {
  const api = sharedEmrApi();
  const { clusterId } = input;
  const name = stepName(input);
  const known = await findStep(api, clusterId, name, signal);
  if (known) return known;
  const step = commandStep(name, await argsOf(deps, input, signal));
  try {
    return { id: await addStep(api, clusterId, step), state: 'PENDING' };
  } catch (error) {
    // The answer may be what was lost: one that is there must not be there twice.
    const made = isAnswerLost(error) ? await findStep(api, clusterId, name) : undefined;
    if (made) return made;
    throw error;
  }
}

/** Puts what the step reads into the lake, and says how it is started. */
async function argsOf(deps: EmrDeps, input: SubmitInput, signal: AbortSignal): Promise<string[]> {
  const { kind, generation, ids = [], runId } = input;
  const { converted } = deps;
  const batch = emrBatch(input, generation);
  if (kind === 'copy') {
    const { key, from, pattern } = copiedParts(batch);
    return copyArgs(from, converted.uri(key), pattern);
  }
  if (kind === 'count') {
    const job = await putCount(deps, batch, input, signal);
    return sparkArgs(await putScript(deps, runId, 'count.py'), ['--job', job]);
  }
  const job = await putBatch(deps, batch, ids, (id) => ({
    output: hdfsOutput(batch, id),
    staging: hdfsStaging(batch, id),
    unless: hdfsManifest(batch),
  }));
  return sparkArgs(await putScript(deps, runId, 'convert.py'), ['--job', job]);
}
