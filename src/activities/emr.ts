import { Context } from '@temporalio/activity';
import type { FailedSource } from '../conversion/spark/job.ts';
import { stageParts, takeResults } from '../conversion/spark/remote-batch.ts';
import type { EmrDeps } from '../emr/plan.ts';
import type { EmrCluster, EmrStep } from '../model/emr.ts';
import type {
  CloseInput,
  ExplainInput,
  OpenClusterInput,
  StepFailure,
  SubmitInput,
  TakeInput,
  TakenSources,
  TakeResultsInput,
  WatchInput,
  WatchResult,
} from '../model/emr-inputs.ts';
import type { RunError, SourceResult } from '../model/run.ts';
import type { LandedTask } from '../storage/staged.ts';
import type { ActivityDeps } from './deps.ts';
import { toRunError } from './failure.ts';
import { runActivity, runSourceActivity } from './work.ts';

/**
 * If EMR does not end a cluster, the worker asks again for this long, whatever the error and the settings. The cluster
 * costs money until it ends, and the operator may renew expired credentials meanwhile.
 */
const CLOSE_FOR_MS = 24 * 3_600_000;

/**
 * Activities of the workflow `convertOnEmr`. The AWS SDK's EMR client takes a while to load, so a worker loads it only
 * when it is asked for a cluster.
 */
export function createEmrActivities(
  worker: Pick<ActivityDeps, 'raw' | 'converted' | 'activity' | 'emr'>,
) {
  const { raw, converted, emr, activity } = worker;
  const deps: EmrDeps = { raw, converted, emr, retryForMs: activity.retryForMs };
  const patient = (retryForMs: number) => ({
    activity: { ...activity, retryForMs: Math.max(retryForMs, activity.retryForMs) },
  });
  const signal = (): AbortSignal => Context.current().cancellationSignal;
  return {
    openCluster: async (input: OpenClusterInput): Promise<{ cluster: EmrCluster }> =>
      await runActivity(worker, async () => {
        const mayBeThere = Context.current().info.attempt > 1;
        return { cluster: await (await onEmr()).openCluster(deps, input, mayBeThere) };
      }),

    watchCluster: async (input: WatchInput): Promise<WatchResult> =>
      await runActivity(worker, async () => (await onEmr()).watchCluster(deps, input, signal())),

    closeCluster: async (input: CloseInput): Promise<EmrCluster | undefined> =>
      await runActivity(
        patient(CLOSE_FOR_MS),
        async () => (await onEmr()).closeCluster(deps, input),
        ['EMR_NO_SUCH_CLUSTER'],
      ),

    /** Waits for room if other users' steps fill the cluster. */
    submitStep: async (input: SubmitInput): Promise<EmrStep> =>
      await runActivity(patient(emr.stepLimitMs), async () =>
        (await onEmr()).submitStep(deps, input, signal()),
      ),

    cancelSteps: async ({ clusterId, stepIds }: { clusterId: string; stepIds: string[] }) =>
      await runActivity(worker, async () =>
        (await onEmr()).cancelSteps(clusterId, stepIds, signal()),
      ),

    explainStep: async (input: ExplainInput): Promise<StepFailure> =>
      await runActivity(worker, async () => (await onEmr()).explainStep(deps, input)),

    /** Reads the result of each source of a converting step. */
    takeResults: async (input: TakeResultsInput): Promise<TakenSources> =>
      await runActivity(worker, async () => {
        const { resultErrors, emrBatch } = await onEmr();
        const batch = emrBatch(input, input.generation);
        const taken = await takeResults(deps, batch, input.ids, resultErrors(input), signal());
        return { ...taken, failed: runErrors(taken.failed) };
      }),

    /** Prepares the files that have been copied to S3 for verification. */
    stageCopied: async (input: TakeInput): Promise<RunError[]> =>
      await runActivity(worker, async () => {
        const batch = (await onEmr()).emrBatch(input, input.generation);
        return runErrors(await stageParts(deps, batch, input.ids, signal()));
      }),

    verifyOnHdfs: async (input: LandedTask): Promise<SourceResult> =>
      await runSourceActivity(worker, input, 'verify', async () =>
        (await onEmr()).verifyOnHdfs(deps, input),
      ),
  };
}

const onEmr = async () => await import('../emr/index.ts');

function runErrors(failed: readonly FailedSource[]): RunError[] {
  return failed.map(({ id, error }) => toRunError(error, id));
}
