import {
  AddTagsCommand,
  DescribeClusterCommand,
  ListClustersCommand,
  PutAutoTerminationPolicyCommand,
  RunJobFlowCommand,
  SetTerminationProtectionCommand,
  TerminateJobFlowsCommand,
  type Cluster,
  type ListClustersCommandOutput,
  type RunJobFlowCommandInput,
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
import type { EmrApi } from './api.ts';

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
export async function listOurClusters(api: EmrApi, signal?: AbortSignal): Promise<FoundCluster[]> {
  const found: FoundCluster[] = [];
  let marker: string | undefined;
  do {
    const page: ListClustersCommandOutput = await api.send(
      new ListClustersCommand({
        ClusterStates: LIVE_STATES,
        CreatedAfter: new Date(Date.now() - MAX_CLUSTER_AGE_MS),
        Marker: marker,
      }),
      { signal },
    );
    for (const { Id = '', Name = '', Status } of page.Clusters ?? []) {
      if (parseClusterName(Name) === undefined) continue;
      const createdAtMs = Status?.Timeline?.CreationDateTime?.getTime() ?? 0;
      found.push({ id: Id, name: Name, createdAtMs });
    }
    marker = page.Marker === undefined || page.Marker === '' ? undefined : page.Marker;
  } while (marker !== undefined);
  return found.toSorted((a, b) => a.createdAtMs - b.createdAtMs);
}

/** EMR's list may lag behind what was made: so often, */
export const LOOKS = 3;
/** … with this in between. */
const LOOK_AGAIN_MS = 1500;

/** Live clusters of the run, as name and tag say both. */
export async function clustersOfRun(
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

/** What a cluster is now, and the run that it was made for as its tags say. */
export interface DescribedCluster {
  cluster: EmrCluster;
  name: string;
  runTag: string | undefined;
  lakeTag: string | undefined;
  /** It stays on purpose until then, Unix, ms; undefined for one that does not. */
  keptUntilMs: number | undefined;
  /** `MasterPublicDnsName`; undefined before it has one. */
  master: string | undefined;
}

/**
 * @param ours what is known of one that we made: how many instances it was asked for.
 * @throws LonghaulError EMR_NO_SUCH_CLUSTER, EMR_….
 */
export async function describeCluster(
  api: EmrApi,
  id: string,
  ours: { instances: number } | undefined,
  signal?: AbortSignal,
): Promise<DescribedCluster> {
  const { Cluster: found } = await api.send(new DescribeClusterCommand({ ClusterId: id }), {
    signal,
  });
  if (!found) throw new LonghaulError('EMR_NO_SUCH_CLUSTER', `EMR has no cluster ${id}.`);
  const tagOf = (key: string): string | undefined =>
    found.Tags?.find(({ Key }) => Key === key)?.Value;
  return {
    cluster: clusterOf(found, id, ours),
    name: found.Name ?? '',
    runTag: tagOf(RUN_TAG),
    lakeTag: tagOf(LAKE_TAG),
    keptUntilMs: timeOf(tagOf(KEPT_TAG)),
    master: found.MasterPublicDnsName,
  };
}

function clusterOf(
  { Status, LogUri }: Cluster,
  id: string,
  ours: { instances: number } | undefined,
): EmrCluster {
  const { State, StateChangeReason: change, Timeline: timeline } = Status ?? {};
  const ended = timeline?.EndDateTime?.getTime();
  const logs = logsOf(LogUri, id);
  return {
    id,
    isOurs: ours !== undefined,
    state: State ?? 'STARTING',
    ...(change?.Code === undefined ? {} : { reasonCode: change.Code }),
    ...(change?.Message ? { reason: printable(change.Message) } : {}),
    logUri: logs,
    instances: ours?.instances ?? 0,
    createdAtMs: timeline?.CreationDateTime?.getTime() ?? Date.now(),
    endedAtMs: ended,
  };
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

/** Sent once: see `EmrRequest.once`. @returns the cluster's id. */
export async function runJobFlow(
  api: EmrApi,
  request: RunJobFlowCommandInput,
  signal?: AbortSignal,
): Promise<string> {
  const { JobFlowId: id } = await api.send(new RunJobFlowCommand(request), { once: true, signal });
  if (id !== undefined) return id;
  throw new LonghaulError('EMR_UNAVAILABLE', 'EMR made a cluster and did not say its id.');
}

/** No error where they have ended. EMR protects a cluster of several masters by itself: that is taken off first. */
export async function terminate(
  api: EmrApi,
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  for (let first = 0; first < ids.length; first += MAX_TERMINATED_AT_ONCE) {
    const JobFlowIds = ids.slice(first, first + MAX_TERMINATED_AT_ONCE);
    const end = async (): Promise<unknown> =>
      await api.send(new TerminateJobFlowsCommand({ JobFlowIds }), { signal });
    await end().catch(async (error: unknown) => {
      if (!isProtected(error)) throw error;
      const unprotected = { JobFlowIds, TerminationProtected: false };
      await api.send(new SetTerminationProtectionCommand(unprotected), { signal });
      await end();
    });
  }
}

const MAX_TERMINATED_AT_ONCE = 10;

/** EMR's words: "Could not shut down one or more job flows since they are termination protected." */
function isProtected(error: unknown): boolean {
  return error instanceof LonghaulError && /termination protected/i.test(error.message);
}

/**
 * For a cluster of ours that stays so long: EMR ends it sooner where it is idle for that long, the sweep ends it at the
 * time that the tag says, and the cluster itself ends later still.
 */
export async function keepFor(
  api: EmrApi,
  id: string,
  keepMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const IdleTimeout = Math.max(60, Math.round(keepMs / 1000));
  await api.send(
    new PutAutoTerminationPolicyCommand({
      ClusterId: id,
      AutoTerminationPolicy: { IdleTimeout },
    }),
    { signal },
  );
  const kept = { Key: KEPT_TAG, Value: new Date(Date.now() + keepMs).toISOString() };
  await api.send(new AddTagsCommand({ ResourceId: id, Tags: [kept] }), { signal });
}
