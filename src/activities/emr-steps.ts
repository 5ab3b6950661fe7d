import { Context } from '@temporalio/activity';
import { readFile } from 'node:fs/promises';
import { putBatch } from '../conversion/spark/remote-batch.ts';
import { stepLogUri } from '../emr/logs.ts';
import { addStep, commandStep, copyArgs, findStep, sparkArgs } from '../emr/steps.ts';
import { isLostNodes, isOwnFault, type EmrStep } from '../model/emr.ts';
import { sparkBatchPrefix } from '../model/layout.ts';
import { stepName } from '../model/emr-names.ts';
import { type ErrorCode } from '../model/errors.ts';
import { apiOf } from './emr-clusters.ts';
import type { EmrDeps } from './emr-deps.ts';
import { putCount } from './emr-hdfs.ts';
import { copiedParts, emrBatch, hdfsManifest, hdfsOutput, hdfsStaging } from './emr-locations.ts';
import { LAST_LOG_WAIT_MS, LOG_WAIT_MS, readCause } from './emr-logs.ts';
import type { ExplainInput, StepFailure, SubmitInput } from './emr-types.ts';

export async function submit(deps: EmrDeps, input: SubmitInput): Promise<EmrStep> {
  const api = apiOf(deps);
  const { clusterId } = input;
  const name = stepName(input);
  const { cancellationSignal: signal } = Context.current();
  const known = await findStep(api, clusterId, name, signal);
  if (known) return known;
  const step = commandStep(name, await argsOf(deps, input, signal));
  try {
    return { id: await addStep(api, clusterId, step), state: 'PENDING' };
  } catch (error) {
    // The answer may be what was lost: one that is there must not be there twice.
    const made = isDoubtful(error) ? await findStep(api, clusterId, name) : undefined;
    if (made) return made;
    throw error;
  }
}

function isDoubtful(error: unknown): boolean {
  const { code } = error as { code?: ErrorCode };
  return code === 'EMR_UNREACHABLE' || code === 'EMR_UNAVAILABLE';
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
  const script = async (name: string): Promise<string> => {
    const key = sparkBatchPrefix(runId, 'scripts') + name;
    await converted.put(
      key,
      await readFile(new URL(`../conversion/spark/${name}`, import.meta.url)),
    );
    return converted.uri(key);
  };
  if (kind === 'count') {
    const job = await putCount(deps, batch, input, signal);
    return sparkArgs(await script('count.py'), ['--job', job]);
  }
  const job = await putBatch(deps, batch, ids, (id) => ({
    output: hdfsOutput(batch, id),
    staging: hdfsStaging(batch, id),
    unless: hdfsManifest(batch),
  }));
  return sparkArgs(await script('convert.py'), ['--job', job]);
}

/** Why a step did not complete, by what EMR says and by the end of its log. */
export async function explain(deps: EmrDeps, input: ExplainInput): Promise<StepFailure> {
  const { cluster, step, kind, isOver } = input;
  const what = `The step ${step.id} (${kind})`;
  if (step.state === 'CANCELLED') {
    const message = `${what} was cancelled on ${cluster.id}, and not by this run.`;
    return { code: 'EMR_STEP_CANCELLED', message, cause: '', isWorthRetry: false };
  }
  const log = cluster.logUri === undefined ? undefined : stepLogUri(cluster.logUri, step.id);
  const waitMs = isOver ? LAST_LOG_WAIT_MS : LOG_WAIT_MS;
  const { cause, lines, text } = await readCause(deps, log, step.reason, waitMs);
  const end = step.state === 'INTERRUPTED' ? 'was interrupted' : 'failed';
  const said = [step.reason ?? '', ...lines].join('\n');
  // Copying and counting meet what passes, and the same files.
  const mayPass = kind === 'convert' ? isLostNodes(said) : !isOwnFault(said);
  return {
    code: 'EMR_STEP_FAILED',
    message: `${what} ${end} on ${cluster.id}; ${text}`,
    cause,
    ...(log === undefined ? {} : { log: { uri: log, lines } }),
    isWorthRetry: step.state === 'INTERRUPTED' || mayPass,
  };
}
