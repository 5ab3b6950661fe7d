import { RunJobFlowCommand } from '@aws-sdk/client-emr';
import { askEmr } from './api.ts';
import { readFile } from 'node:fs/promises';
import { clusterRequest, instanceCount, requestAdditions } from './cluster-request.ts';
import { clustersOfRun, describeCluster, LOOKS, terminate, keepFor } from './clusters.ts';
import { LonghaulError } from '../model/errors.ts';
import { isEnding, clusterName, instanceHours, hasEnded, type EmrCluster } from '../model/emr.ts';
import { isDoubtful } from './errors.ts';
import { assertAffordable, logFolder, type EmrDeps } from './plan.ts';
import type { OpenClusterInput, WatchInput, WatchResult, CloseInput } from '../model/emr-inputs.ts';
import { pollUntil } from './poll.ts';
import { describeStep, cancelSteps } from './steps.ts';
import { setTimeout as sleep } from 'node:timers/promises';

/** The script does not lie in the run's staging: nodes that a kept cluster gets after the run need it too. */
const SHUT_DOWN_KEY = '_emr/shut-down-after.sh';

/**
 * The run's cluster: the cluster of EMR_CLUSTER_ID, an existing one with the run's name, or a new one.
 * @param mayBeThere true if an earlier attempt may have made the cluster and died before it reported that.
 */
export async function openCluster(
  deps: EmrDeps,
  input: OpenClusterInput,
  mayBeThere: boolean,
): Promise<EmrCluster> {
  const { emr } = deps;
  if (emr.clusterId !== undefined) return await borrowed(emr.clusterId, emr.stepLimitMs);
  const additions = await requestAdditions(emr);
  const instances = instanceCount(emr, additions);
  const adopted = async (looks: number): Promise<EmrCluster | undefined> =>
    await adopt(input.runId, clusterName(input), looks, instances);
  const known = await adopted(mayBeThere ? LOOKS : 1);
  if (known) return known;
  assertAffordable(emr, instances, input.usedInstanceHours);
  const { converted } = deps;
  const shutDown = new URL('./shut-down-after.sh', import.meta.url);
  await converted.put(SHUT_DOWN_KEY, await readFile(shutDown));
  const request = clusterRequest(emr, additions, input, {
    logUri: logFolder(deps),
    lake: converted.uri(''),
    shutDownUri: converted.uri(SHUT_DOWN_KEY),
  });
  try {
    // Once the request is sent, it is not cancelled: the run would not know whether EMR made a cluster.
    const { JobFlowId: id } = await askEmr(new RunJobFlowCommand(request), { once: true });
    if (id !== undefined) return (await describeCluster(id, instances)).cluster;
    throw new LonghaulError('EMR_UNAVAILABLE', 'EMR made a cluster, and its answer has no id.');
  } catch (error) {
    const made = isDoubtful(error) ? await adopted(LOOKS) : undefined;
    if (made) return made;
    throw error;
  }
}

async function borrowed(id: string, stepLimitMs: number): Promise<EmrCluster> {
  const { cluster, keptUntilMs } = await describeCluster(id, undefined);
  const what = `The cluster ${id} of EMR_CLUSTER_ID`;
  if (isEnding(cluster)) {
    throw new LonghaulError('EMR_NO_SUCH_CLUSTER', `${what} is ${cluster.state}.`);
  }
  if (keptUntilMs !== undefined && keptUntilMs < Date.now() + stepLimitMs) {
    const end = new Date(keptUntilMs).toISOString();
    const message = `${what} is kept until ${end}, and a step may take EMR_STEP_LIMIT_MINUTES: ${stepLimitMs / 60_000}.`;
    throw new LonghaulError('EMR_REFUSED', message);
  }
  return cluster;
}

/** Adopts the oldest cluster of that name and ends the others. A request whose answer was lost may have made them. */
async function adopt(
  runId: string,
  name: string,
  looks: number,
  instances: number,
): Promise<EmrCluster | undefined> {
  const [first, ...others] = await clustersOfRun(runId, (each) => each.name === name, looks);
  for (const { id } of others) await terminate(id);
  return first && (await describeCluster(first.id, instances)).cluster;
}

/**
 * Returns when the cluster or the step has a state other than the known one, or when the time is over.
 * @throws LonghaulError EMR_….
 */
export async function watchCluster(
  { retryForMs }: Pick<EmrDeps, 'retryForMs'>,
  input: WatchInput,
  signal: AbortSignal,
): Promise<WatchResult> {
  const { known, forMs } = input;
  return await pollUntil(
    { signal, retryForMs, forMs },
    async () => await look(input, signal),
    ({ cluster, step }) => cluster.state !== known.cluster || step?.state !== known.step,
  );
}

/** Asks for the step first: if the step ended well before its cluster ended, the run needs to know. */
async function look(
  { cluster: asked, stepId }: WatchInput,
  signal: AbortSignal,
): Promise<WatchResult> {
  const step = stepId === undefined ? undefined : await describeStep(asked.id, stepId, signal);
  const instances = asked.isOurs ? asked.instances : undefined;
  const { cluster } = await describeCluster(asked.id, instances, signal);
  const hours = cluster.isOurs ? instanceHours(cluster, Date.now()) : 0;
  return { cluster, step, instanceHours: hours };
}

/** A cluster shows within seconds that it ends. The worker does not wait the minutes that its instances take. */
const ENDING_LOOKS = 30;
const ENDING_LOOK_MS = 1000;

/** Ends what the run still has on EMR. @returns the cluster's last known state. */
export async function closeCluster(
  deps: EmrDeps,
  input: CloseInput,
): Promise<EmrCluster | undefined> {
  const { cluster, instances, keep, openStepIds } = input;
  if (deps.emr.clusterId !== undefined && (!cluster || !cluster.isOurs)) {
    return cluster && (await leave(input, cluster.id));
  }
  const { keepAliveMs } = deps.emr;
  if (keep && cluster && keepAliveMs !== undefined) {
    await cancelSteps(cluster.id, openStepIds);
    await keepFor(cluster.id, keepAliveMs);
    return (await describeCluster(cluster.id, instances)).cluster;
  }
  // The list also has clusters of which the run never learned, because an answer was lost or a worker died.
  const found = await clustersOfRun(input.runId, () => true, cluster ? 1 : LOOKS);
  const ids = new Set([...(cluster ? [cluster.id] : []), ...found.map(({ id }) => id)]);
  for (const id of ids) await terminate(id);
  let last: EmrCluster | undefined;
  for (const id of ids) last = await untilEnding(id, instances);
  return last;
}

/** The cluster has another owner: the worker cancels only this run's steps. */
async function leave({ openStepIds }: CloseInput, id: string): Promise<EmrCluster> {
  await cancelSteps(id, openStepIds);
  for (let looks = 1; looks <= ENDING_LOOKS; looks += 1) {
    const steps = await Promise.all(openStepIds.map((stepId) => describeStep(id, stepId)));
    if (steps.every((step) => !step || hasEnded(step))) break;
    await sleep(ENDING_LOOK_MS);
  }
  return (await describeCluster(id, undefined)).cluster;
}

async function untilEnding(id: string, instances: number): Promise<EmrCluster> {
  for (let looks = 1; ; looks += 1) {
    const { cluster } = await describeCluster(id, instances);
    if (isEnding(cluster)) return cluster;
    if (looks >= ENDING_LOOKS) {
      throw new LonghaulError('EMR_UNAVAILABLE', `The cluster ${id} is still ${cluster.state}.`);
    }
    await sleep(ENDING_LOOK_MS);
  }
}
