import {
  CancellationScope,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import {
  clusterLeftText,
  instanceHours,
  isWorthAnotherCluster,
  type EmrCluster,
  type EmrProgress,
} from '../model/emr.ts';
import type { EmrInput, EmrResult, RunError } from '../model/run.ts';
import { activities, type Policy } from './activities.ts';
import { EmrSteps, type OnCluster } from './emr-steps.ts';
import { ClusterTrouble, failRun, toRunError, withClusterLeft } from './failures.ts';
import { emrSummary } from './run-summary.ts';

/** The child sends this signal to its parent run when something changes that a user sees. It holds all of it. */
export const emrNews = defineSignal<[EmrProgress]>('emrNews');

/** Largest number of clusters, if one after the other is lost or cannot be had. A further one would fail too. */
const MAX_CLUSTERS = 3;

/**
 * Converts a day's staged sources to Parquet by one job on one EMR cluster. The cluster ends after success, failure and
 * cancellation. If a cluster is lost, another one follows.
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
  "Steps of this run may still be on another owner's cluster: the owner can cancel them";

class EmrConversion {
  readonly progress: EmrProgress = { steps: [], earlierInstanceHours: 0 };
  readonly #input: EmrInput;
  /** Errors of sources that failed; the others go on. */
  readonly #failed = new Map<string, RunError>();
  readonly #steps: EmrSteps;

  constructor(input: EmrInput) {
    this.#input = input;
    this.#steps = new EmrSteps({
      run: this.#run,
      isWhole: input.isWhole,
      failed: this.#failed,
      call: (policy, summary) => this.#call(policy, summary),
      progress: this.progress,
      tell: async () => await this.#tell(),
    });
  }

  async convert(): Promise<EmrResult> {
    for (let generation = 1; ; generation += 1) {
      const trouble = await this.#onOneCluster(generation);
      if (!trouble) break;
      const { code } = trouble.error;
      const isOurs = this.progress.cluster?.isOurs ?? true;
      if (generation >= MAX_CLUSTERS || !isOurs || !isWorthAnotherCluster(code)) {
        throw await this.#steps.explained(trouble);
      }
      log.warn('Another cluster takes over', { code, message: trouble.message });
    }
    await this.#steps.explainDied();
    return { failed: [...this.#failed.values()], progress: this.progress };
  }

  get #run() {
    const { dataset, ingestDate, revision, runId } = this.#input;
    return { dataset, ingestDate, revision, runId };
  }

  /** @returns the trouble with the cluster, if it ended the work. */
  async #onOneCluster(generation: number): Promise<ClusterTrouble | undefined> {
    let on: OnCluster | undefined;
    let isWell = false;
    try {
      on = await this.#openCluster(generation);
      await this.#steps.convertAll(on, this.#input.sources);
      isWell = this.#failed.size === 0;
      return undefined;
    } catch (error) {
      if (error instanceof ClusterTrouble) return error;
      throw error;
    } finally {
      // A cancelled run still ends the cluster that it pays for.
      await CancellationScope.nonCancellable(async () => {
        await this.#close(on, isWell);
      });
    }
  }

  async #openCluster(generation: number): Promise<OnCluster> {
    const usedInstanceHours = this.progress.earlierInstanceHours;
    const open = this.#call('EMR_CALL', `Cluster ${generation} of this run`);
    const { cluster } = await open.openCluster({ ...this.#run, generation, usedInstanceHours });
    const { plan } = this.#input;
    return { cluster, plan, generation, usedInstanceHours, instanceHours: 0 };
  }

  async #close(on: OnCluster | undefined, isWell: boolean): Promise<void> {
    const isOurs = on?.cluster.isOurs ?? this.progress.cluster?.isOurs ?? true;
    const policy = isOurs ? 'EMR_CLOSE' : 'EMR_LEAVE';
    let closed: EmrCluster | undefined;
    try {
      closed = await this.#call(policy, 'End of what is ours on EMR').closeCluster({
        ...this.#run,
        ...(on ? { cluster: pick(on.cluster) } : {}),
        instances: this.#input.plan.instances,
        openStepIds: this.#steps.openIds(),
        keep: isWell && this.#input.plan.keepAlive,
      });
      if (closed) this.progress.cluster = closed;
    } catch (error) {
      if (isOurs) this.progress.clusterLeft = on?.cluster.id ?? '?';
      log.error(isOurs ? clusterLeftText(this.progress) : STEP_LEFT, { error });
    }
    if (on) this.progress.earlierInstanceHours = on.usedInstanceHours + hoursOf(on, closed);
    // The workflow waits for this, because the run may be about to end.
    await this.#tell();
  }

  async #tell(): Promise<void> {
    setCurrentDetails(emrSummary(this.progress, this.#steps.instanceHours));
    const { parent } = workflowInfo();
    if (!parent) return;
    await getExternalWorkflowHandle(parent.workflowId, parent.runId)
      .signal(emrNews, this.progress)
      // The parent has ended, or is about to.
      .catch(() => undefined);
  }

  #call(policy: Policy, summary: string) {
    const { heartbeatTimeoutMs } = this.#input;
    return activities(policy, { heartbeatTimeoutMs, summary });
  }
}

function hoursOf({ cluster, instanceHours: seen }: OnCluster, closed = cluster): number {
  return cluster.isOurs ? Math.max(seen, instanceHours({ ...cluster, ...closed }, 0)) : 0;
}

function pick({ id, isOurs, instances }: OnCluster['cluster']) {
  return { id, isOurs, instances };
}
