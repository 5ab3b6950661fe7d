import type { EmrCluster, EmrStep } from '../model/emr.ts';
import type { SourceResult } from '../model/run.ts';
import type { EmrDeps } from './emr-deps.ts';
import type {
  CloseInput,
  CopiedInput,
  CopyInput,
  CountedInput,
  CountInput,
  CountResult,
  EmrPlan,
  EmrRun,
  ExplainInput,
  HdfsManifestInput,
  OpenClusterInput,
  PollInput,
  PollResult,
  StagedJob,
  StageJobInput,
  StepCommand,
  StepFailure,
  SubmitInput,
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
  const closing = {
    ...deps,
    activity: { ...deps.activity, retryForMs: Math.max(CLOSE_FOR_MS, deps.activity.retryForMs) },
  };
  return {
    /** What the settings say of a run, once it is known that it may cost that much. */
    planConversion: async (input: EmrRun): Promise<EmrPlan> =>
      await runActivity(deps, async () => await (await import('./emr-plan.ts')).plan(deps, input)),

    /** The run's cluster: the one that is there by its name already, the one of EMR_CLUSTER_ID, or a new one. */
    openCluster: async (input: OpenClusterInput): Promise<{ cluster: EmrCluster }> =>
      await runActivity(deps, async () => ({
        cluster: await (await clusters()).open(deps, input),
      })),

    pollCluster: async (input: PollInput): Promise<PollResult> =>
      await runActivity(deps, async () => await (await clusters()).poll(deps, input)),

    cancelSteps: async (input: { clusterId: string; stepIds: string[] }): Promise<void> => {
      await runActivity(deps, async () => await (await clusters()).cancel(deps, input));
    },

    /** Ends what of the run is left on EMR. @returns the cluster as it is then. */
    closeCluster: async (input: CloseInput): Promise<EmrCluster | undefined> =>
      await runActivity(closing, async () => await (await clusters()).close(deps, input), [
        'EMR_NO_SUCH_CLUSTER',
      ]),

    /** A step of that name, made if it is not there yet. */
    submitStep: async (input: SubmitInput): Promise<EmrStep> =>
      await runActivity(deps, async () => await (await steps()).submit(deps, input)),

    explainStep: async (input: ExplainInput): Promise<StepFailure> =>
      await runActivity(deps, async () => await (await steps()).explain(deps, input)),

    /** Shards of a landing and what Spark is to do with them, in the run's staging. */
    stageJob: async (input: StageJobInput): Promise<StagedJob> =>
      await runSourceActivity(
        deps,
        input,
        'convert',
        async (work) => await (await jobs()).stageJob(deps, input, work),
      ),

    /** The ledger, from footers on HDFS that this worker reads, or from a step that has read them. */
    countOnHdfs: async (input: CountInput): Promise<CountResult> =>
      await runSourceActivity(
        deps,
        input,
        'verify',
        async (work) => await (await hdfs()).count(deps, input, work),
      ),

    /** What was made of a source that stays on HDFS. */
    resultOnHdfs: async (input: CountedInput): Promise<SourceResult> =>
      await runActivity(deps, async () => await (await hdfs()).result(deps, input)),

    planCopy: async (input: CopyInput): Promise<{ from: string; to: string }> =>
      await runActivity(deps, async () => (await hdfs()).planCopy(deps, input)),

    /** What a step has copied to the converted zone, in the form that the lake's verification reads. */
    stageCopiedParts: async (input: CopiedInput): Promise<void> => {
      await runActivity(deps, async () => await (await hdfs()).stageParts(deps, input));
    },

    /** The manifest for HDFS, in the bucket. @returns what a step is to copy. */
    stageHdfsManifest: async (input: HdfsManifestInput): Promise<StepCommand> =>
      await runActivity(deps, async () => await (await hdfs()).stageManifest(deps, input)),
  };
}

const clusters = async () => await import('./emr-clusters.ts');
const steps = async () => await import('./emr-steps.ts');
const jobs = async () => await import('./emr-jobs.ts');
const hdfs = async () => await import('./emr-hdfs.ts');
