import { describeCluster } from './clusters.ts';
import { pollUntil } from './poll.ts';
import { describeSteps } from './steps.ts';
import { instanceHours } from '../model/emr.ts';
import { sharedEmrApi } from './api.ts';
import type { EmrDeps } from './plan.ts';
import type { WatchInput, WatchResult } from '../model/emr-inputs.ts';

/**
 * Returns when cluster or step are not what they were known to be, or when the time is over.
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

/** The step first: one that ended well before its cluster did has ended well. */
async function look(
  { cluster: asked, stepId }: WatchInput,
  signal: AbortSignal,
): Promise<WatchResult> {
  const api = sharedEmrApi();
  const ids = stepId === undefined ? [] : [stepId];
  const [step] = await describeSteps(api, asked.id, ids, signal);
  const ours = asked.isOurs ? { instances: asked.instances } : undefined;
  const { cluster } = await describeCluster(api, asked.id, ours, signal);
  const hours = cluster.isOurs ? instanceHours(cluster, Date.now()) : 0;
  return { cluster, step, instanceHours: hours };
}
