import { Context } from '@temporalio/activity';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedEmrApi, type EmrApi } from '../emr/api.ts';
import { clusterRequest, instanceCount } from '../emr/cluster-request.ts';
import {
  describeCluster,
  keepFor,
  listOurClusters,
  runJobFlow,
  terminate,
  type FoundCluster,
} from '../emr/clusters.ts';
import { cancelSteps, describeSteps } from '../emr/steps.ts';
import { requestAdditions } from '../emr/request-file.ts';
import { LonghaulError } from '../model/errors.ts';
import { hasEnded, isEnding, type EmrCluster } from '../model/emr.ts';
import { clusterName, parseClusterName } from '../model/emr-names.ts';
import type { EmrDeps } from './emr-deps.ts';
import { assertAffordable } from './emr-plan.ts';
import type { CloseInput, OpenClusterInput } from './emr-types.ts';

/** EMR's list may lag behind what was made: so often, */
const LOOKS = 3;
/** … with this in between. */
const LOOK_AGAIN_MS = 1500;
/** Not in a run's staging: a node that a kept cluster gets later runs it too. */
const SHUT_DOWN_KEY = '_emr/shut-down-after.sh';
/** A cluster says within seconds that it is ending; its instances take minutes more. */
const ENDING_LOOKS = 30;
const ENDING_LOOK_MS = 1000;

export function apiOf(deps: EmrDeps): EmrApi {
  return deps.emrApi?.() ?? sharedEmrApi();
}

export async function open(deps: EmrDeps, input: OpenClusterInput): Promise<EmrCluster> {
  const { emr } = deps;
  const api = apiOf(deps);
  if (emr.clusterId !== undefined) return await borrowed(api, emr.clusterId, emr.stepLimitMs);
  const additions = await requestAdditions(emr);
  const instances = instanceCount(emr, additions);
  const name = clusterName(input);
  // An attempt before this one may have made it, and died before it could say so.
  const isDoubtful = Context.current().info.attempt > 1;
  const found = async (looks: number): Promise<EmrCluster | undefined> => {
    const id = await adopt(api, input.runId, name, looks);
    return id === undefined ? undefined : (await describeCluster(api, id, { instances })).cluster;
  };
  const known = await found(isDoubtful ? LOOKS : 1);
  if (known) return known;
  assertAffordable(emr, instances, input.usedInstanceHours);
  const lake = deps.converted.uri('');
  const shutDown = new URL('../emr/shut-down-after.sh', import.meta.url);
  await deps.converted.put(SHUT_DOWN_KEY, await readFile(shutDown));
  const shutDownUri = deps.converted.uri(SHUT_DOWN_KEY);
  const where = { logUri: emr.logUri ?? `${lake}_emr-logs/`, lake, shutDownUri };
  try {
    // Not cancelled once it is sent: then the run would not know what became of it.
    const id = await runJobFlow(api, clusterRequest(emr, additions, input, where));
    return (await describeCluster(api, id, { instances })).cluster;
  } catch (error) {
    const code = error instanceof LonghaulError ? error.code : 'INTERNAL';
    if (code !== 'EMR_UNREACHABLE' && code !== 'EMR_UNAVAILABLE') throw error;
    const made = await found(LOOKS);
    if (made) return made;
    throw error;
  }
}

export async function cancel(
  deps: EmrDeps,
  { clusterId, stepIds }: { clusterId: string; stepIds: string[] },
): Promise<void> {
  await cancelSteps(apiOf(deps), clusterId, stepIds, Context.current().cancellationSignal);
}

export async function close(deps: EmrDeps, input: CloseInput): Promise<EmrCluster | undefined> {
  const { cluster, instances, keep, openStepIds } = input;
  const api = apiOf(deps);
  if (deps.emr.clusterId !== undefined && (!cluster || !cluster.isOurs)) {
    return cluster && (await leave(deps, input, cluster.id));
  }
  const { keepAliveMs } = deps.emr;
  if (keep && cluster && keepAliveMs !== undefined) {
    await cancelSteps(api, cluster.id, openStepIds);
    await keepFor(api, cluster.id, keepAliveMs);
    return (await describeCluster(api, cluster.id, { instances })).cluster;
  }
  // Also those of which the run never learned: a lost answer, a worker that died.
  const found = await listed(api, input.runId, () => true, cluster ? 1 : LOOKS);
  const ids = new Set([...(cluster ? [cluster.id] : []), ...found.map(({ id }) => id)]);
  await terminate(api, [...ids]);
  let last: EmrCluster | undefined;
  for (const id of ids) last = await untilEnding(api, id, instances);
  return last;
}

/** A cluster of another owner: nothing of it is touched but what is this run's. */
async function leave(deps: EmrDeps, { openStepIds }: CloseInput, id: string): Promise<EmrCluster> {
  const api = apiOf(deps);
  await cancelSteps(api, id, openStepIds);
  for (let looks = 1; looks <= ENDING_LOOKS && openStepIds.length > 0; looks += 1) {
    const steps = await describeSteps(api, id, openStepIds);
    if (steps.every(hasEnded)) break;
    await sleep(ENDING_LOOK_MS);
  }
  return (await describeCluster(api, id, undefined)).cluster;
}

async function borrowed(api: EmrApi, id: string, stepLimitMs: number): Promise<EmrCluster> {
  const { cluster, keptUntilMs } = await describeCluster(api, id, undefined);
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

/** The id of the oldest of that name; others, made by a request that was believed to be lost, are ended. */
async function adopt(
  api: EmrApi,
  runId: string,
  name: string,
  looks: number,
): Promise<string | undefined> {
  const [first, ...others] = await listed(api, runId, (each) => each.name === name, looks);
  if (!first) return undefined;
  await terminate(
    api,
    others.map(({ id }) => id),
  );
  return first.id;
}

/** Live clusters of the run, as name and tag say both. */
async function listed(
  api: EmrApi,
  runId: string,
  isWanted: (cluster: FoundCluster) => boolean,
  looks: number,
): Promise<FoundCluster[]> {
  for (let look = 1; ; look += 1) {
    const found: FoundCluster[] = [];
    for (const each of await listOurClusters(api)) {
      if (parseClusterName(each.name)?.runId !== runId || !isWanted(each)) continue;
      const { runTag } = await describeCluster(api, each.id, undefined);
      if (runTag === runId) found.push(each);
    }
    if (found.length > 0 || look >= looks) return found;
    await sleep(LOOK_AGAIN_MS);
  }
}

async function untilEnding(api: EmrApi, id: string, instances: number): Promise<EmrCluster> {
  for (let looks = 1; ; looks += 1) {
    const { cluster } = await describeCluster(api, id, { instances });
    if (isEnding(cluster)) return cluster;
    if (looks >= ENDING_LOOKS) {
      throw new LonghaulError(
        'EMR_UNAVAILABLE',
        `The cluster ${id} does not end: ${cluster.state}.`,
      );
    }
    await sleep(ENDING_LOOK_MS);
  }
}
