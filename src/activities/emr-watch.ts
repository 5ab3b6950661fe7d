import { Context } from '@temporalio/activity';
import { describeCluster } from '../emr/clusters.ts';
import { pollUntil } from '../emr/poll.ts';
import { describeSteps } from '../emr/steps.ts';
import { instanceHours } from '../model/emr.ts';
import { apiOf } from './emr-clusters.ts';
import type { EmrDeps } from './emr-deps.ts';
import type { WatchInput, WatchResult } from './emr-types.ts';

/**
 * Returns when cluster or step are not what they were known to be, or when the time is over.
 * @throws LonghaulError EMR_….
 */
export async function watch(deps: EmrDeps, input: WatchInput): Promise<WatchResult> {
  const { known, forMs } = input;
  const { cancellationSignal: signal } = Context.current();
  const { retryForMs } = deps.activity;
  return await pollUntil(
    { signal, retryForMs, forMs },
    async () => await look(deps, input, signal),
    ({ cluster, step }) => cluster.state !== known.cluster || step?.state !== known.step,
  );
}

/** The step first: one that ended well before its cluster did has ended well. */
async function look(
  deps: EmrDeps,
  { cluster: asked, stepId }: WatchInput,
  signal: AbortSignal,
): Promise<WatchResult> {
  const api = apiOf(deps);
  const ids = stepId === undefined ? [] : [stepId];
  const [step] = await describeSteps(api, asked.id, ids, signal);
  const ours = asked.isOurs ? { instances: asked.instances } : undefined;
  const { cluster } = await describeCluster(api, asked.id, ours, signal);
  const hours = cluster.isOurs ? instanceHours(cluster, Date.now()) : 0;
  return { cluster, step, instanceHours: hours };
}
