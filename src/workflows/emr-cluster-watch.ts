import { CancellationScope, condition, isCancellation, sleep } from '@temporalio/workflow';
import type { EmrPlan } from '../activities/emr-types.ts';
import {
  clusterFailure,
  hasEnded,
  isEnding,
  isReady,
  type EmrCluster,
  type EmrStep,
  type EmrStepProgress,
  type StepKind,
} from '../model/emr.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { RunError } from '../model/run.ts';
import { activities } from './activities.ts';
import { runError, toRunError } from './failures.ts';
import * as policies from './policies.ts';

/** Polls go by this much less or more than the interval, so that several runs do not ask at once. */
const JITTER = 0.25;

/** The cluster, not a source, is what is wrong: it concerns all that is on it. */
export class ClusterTrouble extends Error {
  override readonly name = 'ClusterTrouble';
  readonly error: RunError;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.error = runError(code, message);
  }
}

export interface WatchOptions {
  cluster: EmrCluster;
  plan: EmrPlan;
  usedInstanceHours: number;
  heartbeatTimeoutMs: number;
  /** Something that a person sees has changed. */
  onNews: () => void;
}

/**
 * One cluster, looked at with short activities and a timer in between: a worker that dies while it sleeps costs
 * nothing. Those who wait get the step's end, or the cluster's trouble.
 */
export class ClusterWatch {
  cluster: EmrCluster;
  readonly steps = new Map<string, EmrStepProgress>();
  readonly #options: WatchOptions;
  #trouble: ClusterTrouble | undefined;
  #scope: CancellationScope | undefined;
  #instanceHours = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.cluster = options.cluster;
    this.#scope = new CancellationScope();
    void this.#scope.run(async () => await this.#poll()).catch(() => undefined);
  }

  stop(): void {
    this.#scope?.cancel();
    this.#scope = undefined;
  }

  /** @throws ClusterTrouble EMR_PROVISIONING_TIMED_OUT, EMR_BOOTSTRAP_TIMED_OUT, or why it ended. */
  async ready(): Promise<void> {
    const { provisioningLimitMs, bootstrapLimitMs } = this.#options.plan;
    const isProvisioned = (): boolean => this.cluster.state !== 'STARTING';
    if (!(await this.#until(isProvisioned, provisioningLimitMs))) {
      throw this.#late('EMR_PROVISIONING_TIMED_OUT', 'has no instances', provisioningLimitMs);
    }
    if (!(await this.#until(() => isReady(this.cluster), bootstrapLimitMs))) {
      throw this.#late('EMR_BOOTSTRAP_TIMED_OUT', 'is not ready', bootstrapLimitMs);
    }
  }

  /**
   * A step's end, whatever it is.
   * @param limitMs of its running, and, times `ahead`, of its waiting for those before it.
   * @returns undefined where it hangs.
   */
  async end(
    step: { id: string; source: string; kind: StepKind; state?: EmrStep['state'] },
    limitMs: number,
    ahead: number,
  ): Promise<EmrStep | undefined> {
    const { id, source, kind, state = 'PENDING' } = step;
    this.steps.set(id, { id, source, kind, state });
    this.#options.onNews();
    const current = (): EmrStep => this.steps.get(id) ?? { id, state };
    const hasStarted = (): boolean => current().state !== 'PENDING';
    if (!(await this.#until(hasStarted, limitMs * ahead))) return undefined;
    if (!(await this.#until(() => hasEnded(current()), limitMs))) return undefined;
    // A step ends with its cluster: then that is what happened.
    if (current().state !== 'COMPLETED' && this.#trouble !== undefined) throw this.#trouble;
    return current();
  }

  /** Ids of those that may be running still. */
  get openStepIds(): string[] {
    return [...this.steps.values()].filter((step) => !hasEnded(step)).map(({ id }) => id);
  }

  get instanceHours(): number {
    return this.#instanceHours;
  }

  async #until(isDone: () => boolean, limitMs: number): Promise<boolean> {
    const done = await condition(() => isDone() || this.#trouble !== undefined, limitMs);
    if (this.#trouble !== undefined && !isDone()) throw this.#trouble;
    return done;
  }

  async #poll(): Promise<void> {
    const { plan, heartbeatTimeoutMs } = this.#options;
    const { pollCluster } = activities(policies.EMR_CALL, {
      heartbeatTimeoutMs,
      summary: `State of ${this.cluster.id}`,
    });
    try {
      while (this.#trouble === undefined) {
        await sleep(plan.pollMs * (1 - JITTER + Math.random() * 2 * JITTER));
        const { id, isOurs, instances } = this.cluster;
        const asked = { cluster: { id, isOurs, instances }, stepIds: this.openStepIds };
        this.#update(await pollCluster(asked));
      }
    } catch (error) {
      if (isCancellation(error)) throw error;
      const { code, message } = toRunError(error);
      this.#trouble = new ClusterTrouble(code, message);
    }
  }

  #update(found: { cluster: EmrCluster; steps: EmrStep[]; instanceHours: number }): void {
    const before = JSON.stringify([this.cluster, [...this.steps.values()]]);
    this.cluster = found.cluster;
    this.#instanceHours = found.instanceHours;
    for (const step of found.steps) {
      const known = this.steps.get(step.id);
      if (known) this.steps.set(step.id, { ...known, ...step });
    }
    if (isEnding(found.cluster)) this.#trouble = this.#ended();
    else if (this.#isOverCeiling()) this.#trouble = this.#tooExpensive();
    if (JSON.stringify([this.cluster, [...this.steps.values()]]) !== before) this.#options.onNews();
  }

  #isOverCeiling(): boolean {
    const { plan, usedInstanceHours } = this.#options;
    return this.cluster.isOurs && usedInstanceHours + this.#instanceHours > plan.maxInstanceHours;
  }

  #tooExpensive(): ClusterTrouble {
    const { plan, usedInstanceHours } = this.#options;
    const used = (usedInstanceHours + this.#instanceHours).toFixed(1);
    const message = `The run has used ${used} instance-hours on EMR; EMR_MAX_INSTANCE_HOURS is ${plan.maxInstanceHours}.`;
    return new ClusterTrouble('EMR_TOO_EXPENSIVE', message);
  }

  #ended(): ClusterTrouble {
    const { id, reasonCode, reason, logUri } = this.cluster;
    const why = [reasonCode, reason].filter((each) => each !== undefined).join(': ');
    const logs = logUri === undefined ? '' : ` Its logs: ${logUri}`;
    const message = `Cluster ${id} has ended (${why || 'no reason given'}).${logs}`;
    return new ClusterTrouble(clusterFailure(this.cluster), message);
  }

  #late(code: ErrorCode, what: string, limitMs: number): ClusterTrouble {
    const { id, state, reason } = this.cluster;
    const last = `${state}${reason === undefined ? '' : `, "${reason}"`}`;
    const after = `${Number((limitMs / MINUTE_MS).toFixed(2))} minutes`;
    return new ClusterTrouble(code, `Cluster ${id} ${what} after ${after}; it is ${last}.`);
  }
}

const MINUTE_MS = 60_000;
