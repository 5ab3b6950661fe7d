import { isCancellation, log } from '@temporalio/workflow';
import type { StepFailure, SubmitInput } from '../model/emr-inputs.ts';
import {
  hasEnded,
  isEnding,
  isReady,
  type EmrCluster,
  type EmrPlan,
  type EmrStep,
  type EmrProgress,
  type StepKind,
} from '../model/emr.ts';
import { BatchAttempts } from '../model/batch-attempts.ts';
import type { EmrSource, RunDay, RunError } from '../model/run.ts';
import type { activities, Policy } from './activities.ts';
import {
  ClusterTrouble,
  clusterEnded,
  minutesText,
  startedLate,
  tooExpensive,
  toRunError,
} from './failures.ts';

/** Tries of a copy or a count in all. It is repeated only if another try may succeed. */
const MAX_TRIES = 3;

export interface OnCluster {
  /** The cluster's last known state. */
  cluster: EmrCluster;
  plan: EmrPlan;
  /** Counts the run's clusters, from 1. */
  generation: number;
  /** Instance-hours of the clusters before this one. */
  usedInstanceHours: number;
  /** Instance-hours of this cluster so far. */
  instanceHours: number;
}

export interface EmrStepsOptions {
  run: RunDay;
  /** See `EmrInput`. */
  isWhole: boolean;
  /** Errors by id of the source. Sources that fail here are added. */
  failed: Map<string, RunError>;
  call: (policy: Policy, summary: string) => ReturnType<typeof activities>;
  /** The steps and the cluster in use are put into it. */
  progress: EmrProgress;
  /** Tells the run about the progress. */
  tell: () => Promise<void>;
}

/** A step that failed. If its log does not exist yet, the worker reads it when the cluster has ended. */
interface FailedStep {
  step: EmrStep;
  kind: StepKind;
  cluster: EmrCluster;
  failure: StepFailure;
}

/** The steps of a run: one that converts all sources, then one that copies or counts the files. */
export class EmrSteps {
  readonly #options: EmrStepsOptions;
  readonly #attempts: Record<StepKind, number> = { convert: 0, copy: 0, count: 0 };
  /** The step that may still be running. */
  #open: EmrStep | undefined;
  #lastFailed: FailedStep | undefined;
  /** The last job, if it died and left sources without a result. Their error is the job's. */
  #died: { ids: readonly string[]; job: FailedStep } | undefined;
  /** Why the present step failed, if the run cancelled it because it passed its limit. */
  #timedOut: StepFailure | undefined;
  #instanceHours = 0;

  constructor(options: EmrStepsOptions) {
    this.#options = options;
  }

  /** Instance-hours of the cluster in use. */
  get instanceHours(): number {
    return this.#instanceHours;
  }

  openIds(): string[] {
    return this.#open ? [this.#open.id] : [];
  }

  /** @throws ClusterTrouble if the cluster ends, or the job with all its sources fails. */
  async convertAll(on: OnCluster, sources: readonly EmrSource[]): Promise<void> {
    const { failed } = this.#options;
    const left = () => sources.filter(({ source }) => !failed.has(source.id));
    await this.#convert(on, idsOf(left()));
    const made = left();
    if (made.length === 0) return;
    if (on.plan.output !== 'hdfs') return await this.#copy(on, idsOf(made));
    const isWhole = sources.every(({ source }) => source.optional || !failed.has(source.id));
    await this.#repeated(on, 'count', { sources: made, isWhole: this.#options.isWhole && isWhole });
  }

  /** Usually one step. If the job's session dies, the job is submitted again as long as each try gets further. */
  async #convert(on: OnCluster, sources: string[]): Promise<void> {
    const { run, failed, call } = this.#options;
    const attempts = new BatchAttempts(sources.length);
    let open = sources;
    let death = '';
    while (open.length > 0) {
      const ended = await this.#step(on, 'convert', { ids: open });
      const taken = await call('EMR_WORK', 'What became of each source').takeResults({
        ...{ ...run, generation: on.generation, ids: open, isLast: attempts.isLast },
        ...(death === '' ? {} : { death }),
      });
      for (const error of taken.failed) failed.set(error.source ?? '?', error);
      if (taken.open.length === 0) return;
      const job = await this.#explain(on, ended, 'convert');
      const { failure } = job;
      const mayGoOn = attempts.mayGoOn(
        { open: taken.open.length, deadStarts: taken.deadStarts },
        failure.isWorthRetry,
      );
      // If the operator or the limit ended the step, the run does not start it again.
      const isStopped = ended.state === 'CANCELLED' || this.#timedOut !== undefined;
      if (isStopped || !mayGoOn) return this.#giveUp(job, taken.open, sources);
      log.warn('The job goes on with what has no result', { open: taken.open.length });
      open = taken.open;
      death = failure.cause;
    }
  }

  /** If the job ended some sources, only the others fail. @throws ClusterTrouble if it ended none. */
  #giveUp(job: FailedStep, ids: readonly string[], sources: readonly string[]): void {
    const trouble = troubleOf(job.failure);
    if (ids.length === sources.length) throw trouble;
    this.#died = { ids, job };
    this.#failAll(ids, trouble);
  }

  #failAll(ids: readonly string[], { error }: ClusterTrouble): void {
    for (const source of ids) this.#options.failed.set(source, { ...error, source });
  }

  async #copy(on: OnCluster, ids: string[]): Promise<void> {
    const { run, failed, call } = this.#options;
    await this.#repeated(on, 'copy', {});
    const stage = call('EMR_WORK', `${ids.length} sources in S3`);
    const lost = await stage.stageCopied({ ...run, generation: on.generation, ids });
    for (const error of lost) failed.set(error.source ?? '?', error);
  }

  async #repeated(
    on: OnCluster,
    kind: StepKind,
    what: Pick<SubmitInput, 'sources' | 'isWhole'>,
  ): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const ended = await this.#step(on, kind, what);
      if (ended.state === 'COMPLETED') return;
      const { failure } = await this.#explain(on, ended, kind);
      if (!failure.isWorthRetry || tries >= MAX_TRIES) throw troubleOf(failure);
    }
  }

  /** A step from its submission to its end, in whichever state it ends. */
  async #step(
    on: OnCluster,
    kind: StepKind,
    what: Pick<SubmitInput, 'ids' | 'sources' | 'isWhole'>,
  ): Promise<EmrStep> {
    const { run, call } = this.#options;
    const { generation } = on;
    this.#attempts[kind] += 1;
    this.#timedOut = undefined;
    const submit = call('EMR_WORK', `Step ${kind}`);
    const at = { ...run, generation, clusterId: on.cluster.id };
    let step: EmrStep;
    try {
      step = await submit.submitStep({ ...at, kind, attempt: this.#attempts[kind], ...what });
    } catch (error) {
      // The cluster has ended since the last look. Another look says why.
      if (!isCancellation(error) && toRunError(error).code === 'EMR_NO_SUCH_CLUSTER') {
        await this.#look(on, undefined, 0);
        if (isEnding(on.cluster)) throw clusterEnded(on.cluster);
      }
      throw error;
    }
    this.#open = step;
    this.#note(kind, step);
    await this.#tell(on);
    const ended = await this.#watch(on, kind, step);
    this.#open = undefined;
    return ended;
  }

  /** @throws ClusterTrouble if the cluster ends before the step, or a limit is over. */
  async #watch(on: OnCluster, kind: StepKind, submitted: EmrStep): Promise<EmrStep> {
    const { plan, usedInstanceHours } = on;
    let step = submitted;
    let phase = '';
    for (let deadline = 0; ;) {
      const limitMs = isReady(on.cluster) ? plan.stepLimitMs : plan.startLimitMs;
      const now = `${isReady(on.cluster)} ${step.state}`;
      if (now !== phase) deadline = Date.now() + limitMs;
      phase = now;
      const before = on.cluster.state;
      step = await this.#look(on, step, Math.max(0, Math.min(deadline - Date.now(), leftMs(on))));
      this.#note(kind, step);
      // The step's end is sent with the next news, which follows at once.
      if (on.cluster.state !== before) await this.#tell(on);
      if (step.state === 'COMPLETED') return step;
      if (isEnding(on.cluster)) throw clusterEnded(on.cluster);
      // A cancelled step may be the first sign of a cluster that ends.
      if (step.state === 'CANCELLED') step = await this.#look(on, step, SECOND_LOOK_MS);
      if (isEnding(on.cluster)) throw clusterEnded(on.cluster);
      if (hasEnded(step)) return step;
      if (leftMs(on) <= 0) {
        throw tooExpensive(usedInstanceHours + on.instanceHours, plan.maxInstanceHours);
      }
      if (`${isReady(on.cluster)} ${step.state}` === phase && Date.now() >= deadline) {
        if (!isReady(on.cluster)) throw startedLate(on.cluster, limitMs);
        return await this.#hang(on, kind, step, limitMs);
      }
    }
  }

  #note(kind: StepKind, step: EmrStep): void {
    const { steps } = this.#options.progress;
    const index = steps.findIndex(({ id }) => id === step.id);
    steps[index < 0 ? steps.length : index] = { ...step, kind };
  }

  async #tell({ cluster }: OnCluster): Promise<void> {
    this.#options.progress.cluster = cluster;
    await this.#options.tell();
  }

  async #look(on: OnCluster, step: EmrStep | undefined, forMs: number): Promise<EmrStep> {
    const { id, isOurs, instances, state } = on.cluster;
    const what = step ? `State of ${id}, and of ${step.id}` : `State of ${id}`;
    const seen = await this.#options.call('EMR_WATCH', what).watchCluster({
      cluster: { id, isOurs, instances },
      stepId: step?.id,
      known: { cluster: state, step: step?.state },
      forMs,
    });
    on.cluster = seen.cluster;
    on.instanceHours = this.#instanceHours = seen.instanceHours;
    return { ...NO_STEP, ...step, ...seen.step };
  }

  /**
   * Cancels the step, so that the steps behind it on the cluster can start.
   * @throws ClusterTrouble if it does not end soon, or its cluster ends.
   */
  async #hang(on: OnCluster, kind: StepKind, step: EmrStep, limitMs: number): Promise<EmrStep> {
    const message = `The step ${step.id} (${kind}) has not ended after ${minutesText(limitMs)}; it is ${step.state}.`;
    const timedOut = {
      code: 'EMR_STEP_TIMED_OUT',
      message,
      cause: '',
      isWorthRetry: false,
    } as const;
    await this.#options
      .call('EMR_CALL', `Step ${kind} hangs`)
      .cancelSteps({ clusterId: on.cluster.id, stepIds: [step.id] })
      .catch((error: unknown) => {
        if (isCancellation(error)) throw error;
        log.warn('A step that hangs could not be cancelled', { error });
        throw troubleOf(timedOut);
      });
    let ended = step;
    // The step may first be CANCEL_PENDING.
    for (let looks = 0; !hasEnded(ended); looks += 1) {
      if (looks === 2 || isEnding(on.cluster)) throw troubleOf(timedOut);
      ended = await this.#look(on, ended, CANCEL_WAIT_MS);
      this.#note(kind, ended);
    }
    this.#timedOut = timedOut;
    return ended;
  }

  async #explain(on: OnCluster, step: EmrStep, kind: StepKind): Promise<FailedStep> {
    const { run, call } = this.#options;
    const { cluster } = on;
    const why = call('EMR_CALL', `Why the step ${kind} failed`);
    const asked = { ...run, cluster, step, kind, isOver: false };
    const failure = this.#timedOut ?? (await why.explainStep(asked));
    this.#lastFailed = { step, kind, cluster, failure };
    return this.#lastFailed;
  }

  /** When the cluster has ended: puts the log's cause into the error of the sources that a dead job left. */
  async explainDied(): Promise<void> {
    if (this.#died) this.#failAll(this.#died.ids, await this.#readAgain(this.#died.job));
  }

  /** When the cluster has ended: the trouble with the log's cause, if a failed step made it. */
  async explained(trouble: ClusterTrouble): Promise<ClusterTrouble> {
    const last = this.#lastFailed;
    return last?.failure.message === trouble.message ? await this.#readAgain(last) : trouble;
  }

  /** Reads the log again if it did not exist yet: EMR writes it when the cluster ends, at the latest. */
  async #readAgain({ failure, cluster, step, kind }: FailedStep): Promise<ClusterTrouble> {
    const { run, call } = this.#options;
    if (failure.log === undefined || failure.log.lines.length > 0) return troubleOf(failure);
    const why = call('EMR_LAST_LOG', `The log of the step ${kind}`);
    return troubleOf(await why.explainStep({ ...run, cluster, step, kind, isOver: true }));
  }
}

const NO_STEP: EmrStep = { id: '', state: 'PENDING' };
/** EMR ends a cancelled step within a few seconds. One that is still there then may never end. */
const CANCEL_WAIT_MS = 60_000;
/** A cluster that is ending shows this within a few seconds. */
const SECOND_LOOK_MS = 10_000;

/** Time until the run has used all its instance-hours. */
function leftMs({ cluster, plan, usedInstanceHours, instanceHours }: OnCluster): number {
  if (!cluster.isOurs) return FOR_EVER_MS;
  const hours = plan.maxInstanceHours - usedInstanceHours - instanceHours;
  return Math.round((hours / cluster.instances) * HOUR_MS);
}

const HOUR_MS = 3_600_000;
/** Longer than any limit, because JSON has no infinity. */
const FOR_EVER_MS = Number.MAX_SAFE_INTEGER;

function idsOf(sources: readonly EmrSource[]): string[] {
  return sources.map(({ source }) => source.id);
}

function troubleOf({ code, message, log: said }: StepFailure): ClusterTrouble {
  return new ClusterTrouble(code, message, said);
}
