import { readFile } from 'node:fs/promises';
import { sharedEmrApi, type EmrApi } from './api.ts';
import { clusterRequest, instanceCount } from './cluster-request.ts';
import { clustersOfRun, describeCluster, LOOKS, runJobFlow, terminate } from './clusters.ts';
import { requestAdditions } from './request-file.ts';
import { LonghaulError } from '../model/errors.ts';
import { isEnding, clusterName, type EmrCluster } from '../model/emr.ts';
import { isAnswerLost } from './errors.ts';
import type { EmrDeps } from './plan.ts';
import { assertAffordable } from './plan.ts';
import type { OpenClusterInput } from '../model/emr-inputs.ts';

/** Not in a run's staging: a node that a kept cluster gets later runs it too. */
const SHUT_DOWN_KEY = '_emr/shut-down-after.sh';
/**
 * The run's cluster: the one that is there by its name already, the one of EMR_CLUSTER_ID, or a new one.
 * @param isDoubtful an attempt before this one may have made it, and died before it could say so.
 */
export async function openCluster(
  deps: EmrDeps,
  input: OpenClusterInput,
  isDoubtful: boolean,
): Promise<EmrCluster> {
  const { emr } = deps;
  const api = sharedEmrApi();
  if (emr.clusterId !== undefined) return await borrowed(api, emr.clusterId, emr.stepLimitMs);
  const additions = await requestAdditions(emr);
  const instances = instanceCount(emr, additions);
  const name = clusterName(input);
  const found = async (looks: number): Promise<EmrCluster | undefined> => {
    const id = await adopt(api, input.runId, name, looks);
    return id === undefined ? undefined : (await describeCluster(api, id, { instances })).cluster;
  };
  const known = await found(isDoubtful ? LOOKS : 1);
  if (known) return known;
  assertAffordable(emr, instances, input.usedInstanceHours);
  const lake = deps.converted.uri('');
  const shutDown = new URL('./shut-down-after.sh', import.meta.url);
  await deps.converted.put(SHUT_DOWN_KEY, await readFile(shutDown));
  const shutDownUri = deps.converted.uri(SHUT_DOWN_KEY);
  const where = { logUri: emr.logUri ?? `${lake}_emr-logs/`, lake, shutDownUri };
  try {
    // Not cancelled once it is sent: then the run would not know what became of it.
    const id = await runJobFlow(api, clusterRequest(emr, additions, input, where));
    return (await describeCluster(api, id, { instances })).cluster;
  } catch (error) {
    const made = isAnswerLost(error) ? await found(LOOKS) : undefined;
    if (made) return made;
    throw error;
  }
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
  const [first, ...others] = await clustersOfRun(api, runId, (each) => each.name === name, looks);
  if (!first) return undefined;
  await terminate(
    api,
    others.map(({ id }) => id),
  );
  return first.id;
}
