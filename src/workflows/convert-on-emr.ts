import {
  CancellationScope,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  setCurrentDetails,
  workflowInfo,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { EmrPlan } from '../activities/emr-types.ts';
import {
  clusterLeftText,
  instanceHours,
  isWorthAnotherCluster,
  type EmrProgress,
} from '../model/emr.ts';
import type { EmrInput, EmrResult, PreparedSource, RunError, SourceResult } from '../model/run.ts';
import { activities } from './activities.ts';
import { ClusterTrouble, ClusterWatch } from './emr-cluster-watch.ts';
import { convertOnCluster, type SourceState } from './emr-source.ts';
import { failRun, toRunError, withClusterLeft } from './failures.ts';
import { emrNews } from './messages.ts';
import * as policies from './policies.ts';
import { emrSummary } from './run-summary.ts';

/** Clusters that are lost, or not to be had, one after the other: what fails so often fails again. */
const MAX_LOST_CLUSTERS = 3;
/** A run of more steps than this needs a person to look at it; each cluster takes 256. */
const MAX_CLUSTERS = 20;

/**
 * What is landed and inspected of a day, to verified Parquet by one EMR cluster, which has ended whatever the outcome
 * is: success, failure, cancellation. A cluster that is lost or used up is followed by another; sources that are done
 * stay done.
 */
export async function convertOnEmr(input: EmrInput): Promise<EmrResult> {
  const run = new EmrConversion(input);
  try {
    return await run.convert();
  } catch (error) {
    if (isCancellation(error)) throw error;
    const failure = error instanceof ClusterTrouble ? error.error : toRunError(error);
    return failRun(withClusterLeft(failure, run.progress));
  }
}

const STEP_LEFT =
  'Steps of this run may still be on a cluster that is not ours: its owner can cancel them';

class EmrConversion {
  readonly #input: EmrInput;
  readonly #results = new Map<string, SourceResult>();
  readonly #errors = new Map<string, RunError>();
  readonly #states = new Map<string, SourceState>();
  readonly progress: EmrProgress = { steps: [], earlierInstanceHours: 0 };
  #watch: ClusterWatch | undefined;

  constructor(input: EmrInput) {
    this.#input = input;
  }

  async convert(): Promise<EmrResult> {
    const { sources } = this.#input;
    const plan = await this.#call(policies.EMR_CALL, 'Settings, scripts, cost').planConversion(
      this.#run,
    );
    let lost = 0;
    for (let generation = 1; this.#open.length > 0; generation += 1) {
      const trouble = await this.#onOneCluster(plan, generation);
      if (!trouble) continue;
      const { code } = trouble.error;
      if (code !== 'EMR_STEPS_USED_UP') lost += 1;
      const isEnough = lost >= MAX_LOST_CLUSTERS || generation >= MAX_CLUSTERS;
      if (isEnough || !this.#isOurs || !isWorthAnotherCluster(code)) throw trouble;
      log.warn('Another cluster takes over', { code, message: trouble.message });
      // HDFS is gone with its cluster.
      if (plan.output === 'hdfs') this.#results.clear();
    }
    return {
      output: plan.output,
      results: sources.flatMap(({ task }) => this.#results.get(task.source.id) ?? []),
      errors: sources.flatMap(({ task }) => this.#errors.get(task.source.id) ?? []),
      progress: this.progress,
    };
  }

  get #run() {
    const { dataset, ingestDate, revision, runId } = this.#input;
    return { dataset, ingestDate, revision, runId };
  }

  get #open(): PreparedSource[] {
    return this.#input.sources.filter(
      ({ task }) => !this.#results.has(task.source.id) && !this.#errors.has(task.source.id),
    );
  }

  get #isOurs(): boolean {
    return this.progress.cluster?.isOurs ?? true;
  }

  /** @returns what is wrong with the cluster, where that ended its work. */
  async #onOneCluster(plan: EmrPlan, generation: number): Promise<ClusterTrouble | undefined> {
    let isWell = false;
    try {
      await this.#openCluster(plan, generation);
      await this.#convertAll(plan);
      isWell = this.#errors.size === 0;
      return undefined;
    } catch (error) {
      if (error instanceof ClusterTrouble) return error;
      throw error;
    } finally {
      // A cancelled run, and one whose history is at its end, still end what they pay for.
      await CancellationScope.nonCancellable(async () => {
        await this.#close(plan, isWell);
      });
    }
  }

  async #openCluster(plan: EmrPlan, generation: number): Promise<void> {
    const { heartbeatTimeoutMs } = this.#input;
    const usedInstanceHours = this.progress.earlierInstanceHours;
    const open = this.#call(policies.EMR_CALL, `Cluster ${generation} of this run`);
    const { cluster } = await open.openCluster({ ...this.#run, generation, usedInstanceHours });
    this.#watch = new ClusterWatch({
      cluster,
      plan,
      usedInstanceHours,
      heartbeatTimeoutMs,
      onNews: () => void this.#sendNews(),
    });
    void this.#sendNews();
    await this.#watch.ready();
  }

  /** All sources at once: the cluster's queue takes their steps in turn. Throws once all have stopped. */
  async #convertAll(plan: EmrPlan): Promise<void> {
    const watch = this.#watch;
    if (!watch) return;
    const open = this.#open;
    const context = { input: this.#input, plan, watch, queued: open.length };
    const settled = await Promise.allSettled(
      open.map(async (source) => {
        const { id } = source.task.source;
        const state = this.#states.get(id) ?? { jobs: 0, steps: 0 };
        this.#states.set(id, state);
        try {
          this.#results.set(id, await convertOnCluster(source, state, context));
        } catch (error) {
          if (isCancellation(error) || error instanceof ClusterTrouble) throw error;
          const failure = toRunError(error, id);
          // The cluster's, whichever source met it.
          if (isWorthAnotherCluster(failure.code)) {
            throw new ClusterTrouble(failure.code, failure.message);
          }
          this.#errors.set(id, failure);
        }
        void this.#sendNews();
      }),
    );
    const broken = settled.find((each) => each.status === 'rejected');
    if (broken) throw broken.reason;
    if (plan.output === 's3' || this.#errors.size > 0) return;
    await this.#publishOnHdfs(
      plan,
      watch,
      open.map(({ task }) => task.source.id),
    );
  }

  /** The manifest beside the files, once all of them are there: by a step, which needs no way to HDFS from here. */
  async #publishOnHdfs(plan: EmrPlan, watch: ClusterWatch, sources: string[]): Promise<void> {
    const call = (summary: string) => this.#call(policies.EMR_CALL, summary);
    const clusterId = watch.cluster.id;
    const at = { ...this.#run, clusterId, sources, output: plan.output };
    const command = await call('Manifest for HDFS').stageHdfsManifest(at);
    const step = await call('Manifest to HDFS').submitStep({
      clusterId,
      runId: this.#input.runId,
      source: '_day',
      kind: 'manifest',
      attempt: 1,
      command,
    });
    const ended = await watch.end(
      { ...step, source: '_day', kind: 'manifest' },
      plan.stepLimitMs,
      1,
    );
    if (ended?.state === 'COMPLETED') return;
    const why = ended?.reason ?? ended?.state ?? 'it hangs';
    throw new ClusterTrouble('EMR_STEP_FAILED', `The manifest did not get onto HDFS: ${why}.`);
  }

  async #close(plan: EmrPlan, isWell: boolean): Promise<void> {
    const watch = this.#watch;
    this.#watch = undefined;
    watch?.stop();
    const isOurs = this.#isOurs;
    const policy = isOurs ? policies.EMR_CLOSE : policies.EMR_LEAVE;
    const close = this.#call(policy, 'End of what is ours on EMR');
    try {
      const closed = await close.closeCluster({
        ...this.#run,
        ...(watch ? { cluster: pick(watch.cluster) } : {}),
        instances: plan.instances,
        openStepIds: watch?.openStepIds ?? [],
        keep: isWell && plan.keepAlive,
        discard: !isWell || plan.output === 's3',
      });
      if (closed) this.progress.cluster = closed;
    } catch (error) {
      if (isOurs) this.progress.clusterLeft = watch?.cluster.id ?? '?';
      log.error(isOurs ? clusterLeftText(this.progress) : STEP_LEFT, { error });
    }
    if (watch) this.progress.earlierInstanceHours += this.#hoursOf(watch);
    // Waited for: the run may be about to end.
    await this.#sendNews();
  }

  #hoursOf({ cluster, instanceHours: seen }: ClusterWatch): number {
    return cluster.isOurs ? Math.max(seen, instanceHours(cluster, 0)) : 0;
  }

  /** Here and in the run that started this one. */
  async #sendNews(): Promise<void> {
    const watch = this.#watch;
    if (watch) {
      this.progress.cluster = watch.cluster;
      const own = new Set(watch.steps.keys());
      const before = this.progress.steps.filter(({ id }) => !own.has(id));
      this.progress.steps = [...before, ...watch.steps.values()];
    }
    setCurrentDetails(emrSummary(this.progress, watch?.instanceHours ?? 0));
    const { parent } = workflowInfo();
    if (!parent) return;
    await getExternalWorkflowHandle(parent.workflowId, parent.runId)
      .signal(emrNews, this.progress)
      // It has ended, or is about to: no poll follows.
      .catch(() => undefined);
  }

  #call(policy: ActivityOptions, summary: string) {
    const { heartbeatTimeoutMs } = this.#input;
    return activities(policy, { heartbeatTimeoutMs, summary });
  }
}

function pick({ id, isOurs, instances }: ClusterWatch['cluster']) {
  return { id, isOurs, instances };
}
