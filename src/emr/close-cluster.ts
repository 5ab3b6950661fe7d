import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import { hasEnded, isEnding, type EmrCluster } from '../model/emr.ts';
import type { CloseInput } from '../model/emr-inputs.ts';
import { sharedEmrApi, type EmrApi } from './api.ts';
import { clustersOfRun, describeCluster, keepFor, LOOKS, terminate } from './clusters.ts';
import type { EmrDeps } from './plan.ts';
import { cancelSteps, describeSteps } from './steps.ts';

/** A cluster says within seconds that it is ending; its instances take minutes more. */
const ENDING_LOOKS = 30;
const ENDING_LOOK_MS = 1000;

/** Ends what of the run is left on EMR. @returns the cluster as it is then. */
export async function closeCluster(
  deps: EmrDeps,
  input: CloseInput,
): Promise<EmrCluster | undefined> {
  const { cluster, instances, keep, openStepIds } = input;
  const api = sharedEmrApi();
  if (deps.emr.clusterId !== undefined && (!cluster || !cluster.isOurs)) {
    return cluster && (await leave(input, cluster.id));
  }
  const { keepAliveMs } = deps.emr;
  if (keep && cluster && keepAliveMs !== undefined) {
    await cancelSteps(api, cluster.id, openStepIds);
    await keepFor(api, cluster.id, keepAliveMs);
    return (await describeCluster(api, cluster.id, { instances })).cluster;
  }
  // Also those of which the run never learned: a lost answer, a worker that died.
  const found = await clustersOfRun(api, input.runId, () => true, cluster ? 1 : LOOKS);
  const ids = new Set([...(cluster ? [cluster.id] : []), ...found.map(({ id }) => id)]);
  await terminate(api, [...ids]);
  let last: EmrCluster | undefined;
  for (const id of ids) last = await untilEnding(api, id, instances);
  return last;
}

/** A cluster of another owner: nothing of it is touched but what is this run's. */
async function leave({ openStepIds }: CloseInput, id: string): Promise<EmrCluster> {
  const api = sharedEmrApi();
  await cancelSteps(api, id, openStepIds);
  for (let looks = 1; looks <= ENDING_LOOKS && openStepIds.length > 0; looks += 1) {
    const steps = await describeSteps(api, id, openStepIds);
    if (steps.every(hasEnded)) break;
    await sleep(ENDING_LOOK_MS);
  }
  return (await describeCluster(api, id, undefined)).cluster;
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
