import { Context } from '@temporalio/activity';
import type { FailedSource } from '../conversion/spark/convert-batch.ts';
import type { EmrDeps } from '../emr/plan.ts';
import type { EmrCluster, EmrStep } from '../model/emr.ts';
import type {
  CloseInput,
  ExplainInput,
  OnHdfsInput,
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
import type { ActivityDeps } from './deps.ts';
import { toRunError } from './failure.ts';
import { runActivity, runSourceActivity } from './work.ts';

/**
 * An end that EMR does not take is asked for again for so long, whatever the error and the settings say: it costs until
 * then, and credentials that have expired may be renewed meanwhile.
 */
const CLOSE_FOR_MS = 24 * 3_600_000;

/**
 * What the workflow `convertOnEmr` asks for. The AWS SDK's EMR client takes a while to load: only workers that are
 * asked for a cluster have it.
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
        const { openCluster } = await import('../emr/open-cluster.ts');
        return { cluster: await openCluster(deps, input, Context.current().info.attempt > 1) };
      }),

    watchCluster: async (input: WatchInput): Promise<WatchResult> =>
      await runActivity(worker, async () => {
        const { watchCluster } = await import('../emr/watch-cluster.ts');
        return await watchCluster(deps, input, signal());
      }),

    closeCluster: async (input: CloseInput): Promise<EmrCluster | undefined> =>
      await runActivity(
        patient(CLOSE_FOR_MS),
        async () => await (await import('../emr/close-cluster.ts')).closeCluster(deps, input),
        ['EMR_NO_SUCH_CLUSTER'],
      ),

    /** It waits for room on a cluster that others use too. */
    submitStep: async (input: SubmitInput): Promise<EmrStep> =>
      await runActivity(patient(emr.stepLimitMs), async () => {
        const { submitStep } = await import('../emr/submit-step.ts');
        return await submitStep(deps, input, signal());
      }),

    cancelSteps: async (input: { clusterId: string; stepIds: string[] }): Promise<void> => {
      await runActivity(worker, async () => {
        const { sharedEmrApi } = await import('../emr/api.ts');
        const { cancelSteps } = await import('../emr/steps.ts');
        await cancelSteps(sharedEmrApi(), input.clusterId, input.stepIds, signal());
      });
    },

    explainStep: async (input: ExplainInput): Promise<StepFailure> =>
      await runActivity(
        worker,
        async () => await (await import('../emr/explain-step.ts')).explainStep(deps, input),
      ),

    takeResults: async (input: TakeResultsInput): Promise<TakenSources> =>
      await runActivity(worker, async () => {
        const { takeEmrResults } = await import('../emr/results.ts');
        const taken = await takeEmrResults(deps, input, signal());
        return { ...taken, failed: runErrors(taken.failed) };
      }),

    stageCopied: async (input: TakeInput): Promise<RunError[]> =>
      await runActivity(worker, async () => {
        const { stageCopied } = await import('../emr/results.ts');
        return runErrors(await stageCopied(deps, input, signal()));
      }),

    verifyOnHdfs: async (input: OnHdfsInput): Promise<SourceResult> =>
      await runSourceActivity(
        worker,
        input,
        'verify',
        async () => await (await import('../emr/hdfs.ts')).verifyOnHdfs(deps, input),
      ),
  };
}

function runErrors(failed: readonly FailedSource[]): RunError[] {
  return failed.map(({ id, error }) => toRunError(error, id));
}
