import {
  AddTagsCommand,
  DescribeClusterCommand,
  ListClustersCommand,
  PutAutoTerminationPolicyCommand,
  SetTerminationProtectionCommand,
  TerminateJobFlowsCommand,
  type ListClustersCommandOutput,
} from '@aws-sdk/client-emr';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import {
  KEPT_TAG,
  LAKE_TAG,
  parseClusterName,
  RUN_TAG,
  type ClusterState,
  type EmrCluster,
} from '../model/emr.ts';
import { printable } from '../model/names.ts';
import { askEmr } from './api.ts';

/** States of clusters that cost money and are not terminating. */
const LIVE_STATES: ClusterState[] = ['STARTING', 'BOOTSTRAPPING', 'RUNNING', 'WAITING'];
/** The list leaves out older clusters: no run takes 30 days. */
const MAX_CLUSTER_AGE_MS = 30 * 24 * 3_600_000;

export interface FoundCluster {
  id: string;
  name: string;
  createdAtMs: number;
}

/** Clusters that cost money, with a name in Longhaul's form, oldest first. `describeCluster` proves whose they are. */
export async function listOurClusters(signal?: AbortSignal): Promise<FoundCluster[]> {
  const found: FoundCluster[] = [];
  let marker: string | undefined;
  do {
    const command = new ListClustersCommand({
      ClusterStates: LIVE_STATES,
      CreatedAfter: new Date(Date.now() - MAX_CLUSTER_AGE_MS),
      Marker: marker,
    });
    const page: ListClustersCommandOutput = await askEmr(command, { signal });
    for (const { Id = '', Name = '', Status } of page.Clusters ?? []) {
      if (parseClusterName(Name) === undefined) continue;
      const createdAtMs = Status?.Timeline?.CreationDateTime?.getTime() ?? 0;
      found.push({ id: Id, name: Name, createdAtMs });
    }
    marker = page.Marker;
  } while (marker);
  return found.toSorted((a, b) => a.createdAtMs - b.createdAtMs);
}

/** Most looks at EMR's list, which may lag behind. The worker looks again while the list lacks the run's cluster. */
export const LOOKS = 3;
/** Wait between two requests for the list. Together they cover the lag that EMR shows. */
const LOOK_AGAIN_MS = 1500;

/** Live clusters that belong to the run by both their name and their tag. */
export async function clustersOfRun(
  runId: string,
  isWanted: (cluster: FoundCluster) => boolean,
  looks: number,
): Promise<FoundCluster[]> {
  for (let look = 1; ; look += 1) {
    const found: FoundCluster[] = [];
    for (const each of await listOurClusters()) {
      if (parseClusterName(each.name)?.runId !== runId || !isWanted(each)) continue;
      const { runTag } = await describeCluster(each.id, undefined);
      if (runTag === runId) found.push(each);
    }
    if (found.length > 0 || look >= looks) return found;
    await sleep(LOOK_AGAIN_MS);
  }
}

/** A cluster's present state, and what its tags say about its run and lake. */
export interface DescribedCluster {
  cluster: EmrCluster;
  runTag: string | undefined;
  lakeTag: string | undefined;
  /** Until this time the operator keeps the cluster (Unix, ms). Undefined if the cluster has no such tag. */
  keptUntilMs: number | undefined;
}

/**
 * @param instances the number of instances that Longhaul asked for; undefined for a cluster that is not Longhaul's.
 * @throws LonghaulError EMR_NO_SUCH_CLUSTER, EMR_….
 */
export async function describeCluster(
  id: string,
  instances: number | undefined,
  signal?: AbortSignal,
): Promise<DescribedCluster> {
  const command = new DescribeClusterCommand({ ClusterId: id });
  const { Cluster: found } = await askEmr(command, { signal });
  if (!found) throw new LonghaulError('EMR_NO_SUCH_CLUSTER', `EMR has no cluster ${id}.`);
  const tagOf = (key: string): string | undefined =>
    found.Tags?.find(({ Key }) => Key === key)?.Value;
  const { State, StateChangeReason: change, Timeline: timeline } = found.Status ?? {};
  const cluster = {
    id,
    isOurs: instances !== undefined,
    state: State ?? 'STARTING',
    reasonCode: change?.Code,
    reason: change?.Message ? printable(change.Message) : undefined,
    logUri: logsOf(found.LogUri, id),
    instances: instances ?? 0,
    createdAtMs: timeline?.CreationDateTime?.getTime() ?? Date.now(),
    endedAtMs: timeline?.EndDateTime?.getTime(),
  };
  const keptUntilMs = timeOf(tagOf(KEPT_TAG));
  return { cluster, runTag: tagOf(RUN_TAG), lakeTag: tagOf(LAKE_TAG), keptUntilMs };
}

/** If a user has changed the tag to a text that is not a time, the tag keeps nothing. */
function timeOf(tag: string | undefined): number | undefined {
  return tag === undefined ? undefined : Date.parse(tag) || 0;
}

/** EMR answers `s3n://` for `s3://`, and "None" if the cluster has no logs. */
function logsOf(uri: string | undefined, id: string): string | undefined {
  const [, rest] = /^s3[na]?:\/\/(.+)$/.exec(uri ?? '') ?? [];
  return rest === undefined ? undefined : `s3://${rest.replace(/\/*$/, '/')}${id}/`;
}

/** Ends a cluster, if it has not ended. EMR itself protects one with several masters: that protection is removed. */
export async function terminate(id: string, signal?: AbortSignal): Promise<void> {
  const JobFlowIds = [id];
  const end = async (): Promise<unknown> =>
    await askEmr(new TerminateJobFlowsCommand({ JobFlowIds }), { signal });
  await end().catch(async (error: unknown) => {
    if (!isProtected(error)) throw error;
    const unprotected = { JobFlowIds, TerminationProtected: false };
    await askEmr(new SetTerminationProtectionCommand(unprotected), { signal });
    await end();
  });
}

/** EMR's message is "Could not shut down one or more job flows since they are termination protected." */
function isProtected(error: unknown): boolean {
  return error instanceof LonghaulError && /termination protected/i.test(error.message);
}

/**
 * Keeps a cluster of Longhaul's for this long. EMR ends it earlier if it is idle for that long. The sweep ends it at
 * the time in the tag. The shutdown script on the cluster ends it later still.
 */
export async function keepFor(id: string, keepMs: number): Promise<void> {
  const AutoTerminationPolicy = { IdleTimeout: Math.max(60, Math.round(keepMs / 1000)) };
  await askEmr(new PutAutoTerminationPolicyCommand({ ClusterId: id, AutoTerminationPolicy }));
  const kept = { Key: KEPT_TAG, Value: new Date(Date.now() + keepMs).toISOString() };
  await askEmr(new AddTagsCommand({ ResourceId: id, Tags: [kept] }));
}
