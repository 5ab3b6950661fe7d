import type { EmrCluster, EmrStep } from '../model/emr.ts';
import type { RunError, SourceResult } from '../model/run.ts';
import type { EmrDeps } from './emr-deps.ts';
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
} from './emr-types.ts';
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
export function createEmrActivities(deps: EmrDeps) {
  const patient = (retryForMs: number): EmrDeps => ({
    ...deps,
    activity: {
      ...deps.activity,
      retryForMs: Math.max(retryForMs, deps.activity.retryForMs),
    },
  });
  return {
    /** The run's cluster: the one that is there by its name already, the one of EMR_CLUSTER_ID, or a new one. */
    openCluster: async (input: OpenClusterInput): Promise<{ cluster: EmrCluster }> =>
      await runActivity(deps, async () => ({
        cluster: await (await clusters()).open(deps, input),
      })),

    /** Looks at cluster and step again and again, until something is another than was known. */
    watchCluster: async (input: WatchInput): Promise<WatchResult> =>
      await runActivity(
        deps,
        async () => await (await import('./emr-watch.ts')).watch(deps, input),
      ),

    cancelSteps: async (input: { clusterId: string; stepIds: string[] }): Promise<void> => {
      await runActivity(deps, async () => await (await clusters()).cancel(deps, input));
    },

    /** Ends what of the run is left on EMR. @returns the cluster as it is then. */
    closeCluster: async (input: CloseInput): Promise<EmrCluster | undefined> =>
      await runActivity(
        patient(CLOSE_FOR_MS),
        async () => await (await clusters()).close(deps, input),
        ['EMR_NO_SUCH_CLUSTER'],
      ),

    /** A step of that name, made if it is not there yet, with what it reads. It waits for room on the cluster. */
    submitStep: async (input: SubmitInput): Promise<EmrStep> =>
      await runActivity(
        patient(deps.emr.stepLimitMs),
        async () => await (await steps()).submit(deps, input),
      ),

    explainStep: async (input: ExplainInput): Promise<StepFailure> =>
      await runActivity(deps, async () => await (await steps()).explain(deps, input)),

    /** What became of each source in a step that converts. */
    takeResults: async (input: TakeResultsInput): Promise<TakenSources> =>
      await runActivity(deps, async () => await (await results()).take(deps, input)),

    /** What has come to S3, in the form that verification reads. @returns the sources that have not. */
    stageCopied: async (input: TakeInput): Promise<RunError[]> =>
      await runActivity(deps, async () => await (await results()).stageCopied(deps, input)),

    /** The ledger of a source that stays on HDFS, from what a step has read of its footers. */
    verifyOnHdfs: async (input: OnHdfsInput): Promise<SourceResult> =>
      await runSourceActivity(
        deps,
        input,
        'verify',
        async () => await (await import('./emr-hdfs.ts')).verify(deps, input),
      ),
  };
}

const clusters = async () => await import('./emr-clusters.ts');
const steps = async () => await import('./emr-steps.ts');
const results = async () => await import('./emr-results.ts');
