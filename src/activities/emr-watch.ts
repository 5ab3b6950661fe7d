import { Context } from '@temporalio/activity';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeCluster } from '../emr/clusters.ts';
import { describeSteps } from '../emr/steps.ts';
import { isRetryable, LonghaulError } from '../model/errors.ts';
import { instanceHours } from '../model/emr.ts';
import { apiOf } from './emr-clusters.ts';
import type { EmrDeps } from './emr-deps.ts';
import type { WatchInput, WatchResult } from './emr-types.ts';

/** Between two looks at first, */
const FIRST_WAIT_MS = 1000;
/** … and the longer nothing changes the longer, so that a step of hours costs few requests: EMR's quotas are the account's. */
const WAIT_GROWTH = 1.25;
const MAX_WAIT_MS = 60_000;
/** Waits are by this much less or more, so that several runs do not ask at once. */
const JITTER = 0.25;

/**
 * Returns when cluster or step are not what they were known to be, or when the time is over. An EMR that does not answer,
 * or credentials that have expired and may be renewed, end it only after SOURCE_RETRY_MINUTES: the step goes on meanwhile.
 * @throws LonghaulError EMR_….
 */
export async function watch(deps: EmrDeps, input: WatchInput): Promise<WatchResult> {
  const { known, forMs } = input;
  const { cancellationSignal: signal } = Context.current();
  const end = Date.now() + forMs;
  let answeredAtMs = Date.now();
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(MAX_WAIT_MS, waitMs * WAIT_GROWTH)) {
    try {
      const found = await look(deps, input, signal);
      answeredAtMs = Date.now();
      const isNews = found.cluster.state !== known.cluster || found.step?.state !== known.step;
      if (isNews || answeredAtMs >= end) return found;
    } catch (error) {
      signal.throwIfAborted();
      const isOver = Date.now() - answeredAtMs >= deps.activity.retryForMs;
      if (isOver || !mayPass(error)) throw error;
    }
    const left = Math.max(0, end - Date.now());
    const wait = waitMs * (1 - JITTER + Math.random() * 2 * JITTER);
    await sleep(Math.min(wait, left), undefined, { signal });
  }
}

function mayPass(error: unknown): boolean {
  if (!(error instanceof LonghaulError)) return false;
  return isRetryable(error.code) || error.code === 'EMR_CREDENTIALS';
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
