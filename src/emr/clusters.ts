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

/** States of clusters that cost and are not terminating. */
const LIVE_STATES: ClusterState[] = ['STARTING', 'BOOTSTRAPPING', 'RUNNING', 'WAITING'];
/** A day that is published on a cluster which was made longer ago than this is no day. */
const MAX_CLUSTER_AGE_MS = 30 * 24 * 3_600_000;

export interface FoundCluster {
  id: string;
  name: string;
  createdAtMs: number;
}

/** Clusters that cost, whose name is of our form, oldest first. A name is no proof: see `describeCluster`. */
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

/** EMR's list may lag behind what was made: so often, */
export const LOOKS = 3;
/** … with this in between. */
const LOOK_AGAIN_MS = 1500;

/** Live clusters of the run, as name and tag say both. */
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

/** What a cluster is now, and the run that it was made for as its tags say. */
export interface DescribedCluster {
  cluster: EmrCluster;
  runTag: string | undefined;
  lakeTag: string | undefined;
  /** It stays on purpose until then, Unix, ms; undefined for one that does not. */
  keptUntilMs: number | undefined;
}

/**
 * @param instances that it was asked for, of one that we made; undefined for one that is not ours.
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

/** A tag that a person has changed to what is no time keeps nothing. */
function timeOf(tag: string | undefined): number | undefined {
  return tag === undefined ? undefined : Date.parse(tag) || 0;
}

/** EMR hands `s3://` back as `s3n://`, and "None" where there are no logs. */
function logsOf(uri: string | undefined, id: string): string | undefined {
  const [, rest] = /^s3[na]?:\/\/(.+)$/.exec(uri ?? '') ?? [];
  return rest === undefined ? undefined : `s3://${rest.replace(/\/*$/, '/')}${id}/`;
}

/** No error where it has ended. EMR protects a cluster of several masters by itself: that is taken off first. */
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

/** EMR's words: "Could not shut down one or more job flows since they are termination protected." */
function isProtected(error: unknown): boolean {
  return error instanceof LonghaulError && /termination protected/i.test(error.message);
}

/**
 * For a cluster of ours that stays so long: EMR ends it sooner where it is idle for that long, the sweep ends it at the
 * time that the tag says, and the cluster itself ends later still.
 */
export async function keepFor(id: string, keepMs: number): Promise<void> {
  const AutoTerminationPolicy = { IdleTimeout: Math.max(60, Math.round(keepMs / 1000)) };
  await askEmr(new PutAutoTerminationPolicyCommand({ ClusterId: id, AutoTerminationPolicy }));
  const kept = { Key: KEPT_TAG, Value: new Date(Date.now() + keepMs).toISOString() };
  await askEmr(new AddTagsCommand({ ResourceId: id, Tags: [kept] }));
}
