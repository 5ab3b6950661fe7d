import { randomBytes } from 'node:crypto';
import type { RunJobFlowInput, StepConfig } from '@aws-sdk/client-emr';
import { invalidRequest, validation } from './api-error.ts';
import { live } from './cluster-life.ts';
import { takeFault } from './faults.ts';
import { isEnded, isOpen, type Cluster, type Step, type EmrContext } from './model.ts';

/** All clusters of a server. They are kept, as EMR keeps them for two months, until the server ends. */
export class Clusters {
  readonly context: EmrContext;
  readonly #region: string;
  readonly #clusters = new Map<string, Cluster>();
  readonly #lives = new Set<Promise<void>>();

  constructor(context: EmrContext, region: string) {
    this.context = context;
    this.#region = region;
  }

  create(request: RunJobFlowInput): Cluster {
    const id = newId('j-');
    const cluster: Cluster = {
      id,
      arn: `arn:aws:elasticmapreduce:${this.#region}:${ACCOUNT}:cluster/${id}`,
      request,
      createdMs: this.context.now(),
      state: 'STARTING',
      reason: {},
      tags: [...(request.Tags ?? [])],
      steps: [],
      keepAlive: request.Instances?.KeepJobFlowAliveWhenNoSteps ?? false,
      isProtected: request.Instances?.TerminationProtected === true || hasSeveralMasters(request),
      stepConcurrency: request.StepConcurrencyLevel ?? 1,
      logs: [],
      idleTimeout: request.AutoTerminationPolicy?.IdleTimeout,
      wake: () => undefined,
      abort: new AbortController(),
    };
    this.#clusters.set(id, cluster);
    this.addSteps(cluster, request.Steps ?? []);
    const life = live(cluster, this.context).finally(() => this.#lives.delete(life));
    this.#lives.add(life);
    return cluster;
  }

  /** Steps PENDING or RUNNING, those of other clients too. */
  openSteps(cluster: Cluster): number {
    const now = this.context.now();
    const fault = cluster.othersOpen ? undefined : takeFault(this.context.faults(), 'stepsOpen');
    if (fault) cluster.othersOpen = { steps: fault.steps, untilMs: now + fault.ms };
    const { steps = 0, untilMs = 0 } = cluster.othersOpen ?? {};
    const own = cluster.steps.filter((step) => !isEnded(step)).length;
    return own + (now < untilMs ? steps : 0);
  }

  addSteps(cluster: Cluster, configs: readonly StepConfig[]): Step[] {
    const steps = configs.map((config): Step => {
      return {
        id: newId('s-'),
        config,
        createdMs: this.context.now(),
        state: 'PENDING',
        reason: {},
      };
    });
    cluster.steps.push(...steps);
    cluster.wake();
    return steps;
  }

  /** In no order that is promised: newest first. */
  all(): Cluster[] {
    return [...this.#clusters.values()].toReversed();
  }

  find(id: string | undefined): Cluster | undefined {
    return this.#clusters.get(id ?? '');
  }

  /** @throws ApiError as the Describe and List actions say it. */
  get(id: string | undefined): Cluster {
    const cluster = this.find(id);
    if (!cluster) throw invalidRequest(`Cluster id '${id ?? ''}' is not valid.`, 'NoSuchCluster');
    return cluster;
  }

  /** For a change. @throws ApiError as the older actions say it. */
  open(id: string | undefined): Cluster {
    const cluster = this.find(id);
    if (!cluster) throw validation('Specified job flow ID not valid.');
    if (isOpen(cluster)) return cluster;
    throw validation(
      'A job flow that is shutting down, terminated, or finished may not be modified.',
    );
  }

  /** Ends when every cluster has. */
  async ended(): Promise<void> {
    while (this.#lives.size > 0) await Promise.all(this.#lives);
  }
}

function hasSeveralMasters({ Instances: instances }: RunJobFlowInput): boolean {
  return (instances?.InstanceGroups ?? []).some(
    ({ InstanceRole: role, InstanceCount: count = 0 }) => role === 'MASTER' && count > 1,
  );
}

/** AWS's own example. */
const ACCOUNT = '123456789012';
const ID_LENGTH = 13;
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

function newId(prefix: string): string {
  const letters = [...randomBytes(ID_LENGTH)].map((byte) => LETTERS[byte % LETTERS.length]);
  return prefix + letters.join('');
}
