import type {
  BootstrapActionConfig,
  ClusterState,
  ClusterStateChangeReasonCode,
  FailureDetails,
  RunJobFlowInput,
  StepConfig,
  StepState,
  Tag,
} from '@aws-sdk/client-emr';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { EmrFaults } from '../faults.ts';

/** A cluster as the server keeps it. Code that changes it calls `wake`, so that its life goes on. */
export interface Cluster {
  readonly id: string;
  readonly arn: string;
  readonly request: RunJobFlowInput;
  readonly created: Date;
  ready?: Date;
  ended?: Date;
  state: ClusterState;
  reason: Reason;
  tags: Tag[];
  /** Steps in the order in which they were added. */
  readonly steps: Step[];
  /** Whether the cluster is protected from termination. EMR protects a cluster of several masters by itself. */
  isProtected: boolean;
  /** Steps of other clients. They count towards EMR's limit of open steps. */
  othersOpen?: { steps: number; untilMs: number };
  /** Each settles when the logs of a step are saved. */
  readonly logs: Promise<void>[];
  /** Seconds of its auto-termination policy. */
  idleTimeout: number | undefined;
  /** Undefined before the cluster is provisioned and after its end. */
  machine?: Machine | undefined;
  /** The end that the cluster must come to. Set once. */
  ending?: Ending;
  /** Wakes the cluster's life when there is work for it. */
  wake: () => void;
  /** Aborted when the cluster must end. */
  readonly abort: AbortController;
}

interface Reason {
  Code?: ClusterStateChangeReasonCode;
  Message?: string;
}

interface Ending {
  state: 'TERMINATED' | 'TERMINATED_WITH_ERRORS';
  reason: Reason;
}

export interface Step {
  readonly id: string;
  readonly config: StepConfig;
  readonly created: Date;
  started?: Date;
  ended?: Date;
  state: StepState;
  failure?: FailureDetails;
  /** Cancels the step's program. Set while the program runs. */
  cancel?: () => void;
}

/** Runs clusters on this machine. Tests of the protocol have a quicker one. */
export interface EmrRuntime {
  /** @throws if the machine cannot be set up. The cluster then ends with INTERNAL_ERROR. */
  prepare(cluster: Cluster, hdfsBytes: number | undefined): Promise<Machine>;
}

/** All nodes of one cluster. */
export interface Machine {
  /** URL of the NameNode: `http://127.0.0.1:<port>`. */
  webHdfsUrl: string;
  /** Minutes after which the master must shut down. Undefined if no bootstrap action asked for it. */
  shutDownMinutes(): Promise<number | undefined>;
  /** @returns the exit code of bootstrap action `index`, from 1 on. */
  bootstrap(action: BootstrapActionConfig, index: number, signal: AbortSignal): Promise<number>;
  start(step: Step, fault: StepFault | undefined): Promise<RunningProgram>;
  /** Saves the logs of a step that has ended. Never rejects: logs that S3 refuses are lost. */
  saveLogs(stepId: string): Promise<void>;
  /** Share of HDFS that its files use, from 0 to 1. */
  hdfsUse(): Promise<number>;
  /** Ends all programs on the machine, and removes its HDFS and folder. */
  stop(): Promise<void>;
}

/** The step never ends by itself, or is killed in the middle of its copy. */
export type StepFault = 'hang' | 'copyFailure';

/** The program of a step or a job run. */
export interface RunningProgram {
  /** Never rejects. */
  ended: Promise<ProgramEnd>;
  cancel(): void;
}

export interface ProgramEnd {
  isCompleted: boolean;
  /** Reason of a failure: the last exception in `stderr`. */
  message?: string | undefined;
}

/** Length of each state in ms. On AWS the states take minutes. */
export interface EmrDelays {
  /** Length of STARTING. */
  provisioningMs: number;
  /** Time from the moment when a step could run to its start. On EMR it is some seconds. */
  beforeStepMs: number;
  /** Time from a step's end to its logs in S3, unless the cluster ends before. On EMR it is up to five minutes. */
  logsMs: number;
  /** Length of a second of an idle timeout, whose least is 60 seconds, and of a delayed shutdown. */
  secondMs: number;
}

export interface EmrContext {
  runtime: EmrRuntime;
  /** Subnets that exist. If undefined, all subnets exist. */
  subnets: readonly string[] | undefined;
  delays: EmrDelays;
  /** Called at each turn, because faults may change at any time. */
  faults: () => EmrFaults;
}

export function newCluster(request: RunJobFlowInput, region: string): Cluster {
  const id = newId('j-');
  const masters = (request.Instances?.InstanceGroups ?? []).filter(
    ({ InstanceRole: role, InstanceCount: count = 0 }) => role === 'MASTER' && count > 1,
  );
  return {
    id,
    arn: `arn:aws:elasticmapreduce:${region}:123456789012:cluster/${id}`,
    request,
    created: new Date(),
    state: 'STARTING',
    reason: { Message: 'Provisioning Amazon EC2 capacity' },
    tags: request.Tags ?? [],
    steps: (request.Steps ?? []).map(newStep),
    isProtected: request.Instances?.TerminationProtected === true || masters.length > 0,
    logs: [],
    idleTimeout: request.AutoTerminationPolicy?.IdleTimeout,
    wake: () => undefined,
    abort: new AbortController(),
  };
}

export function newStep(config: StepConfig): Step {
  return { id: newId('s-'), config, created: new Date(), state: 'PENDING' };
}

function newId(prefix: string): string {
  return prefix + randomBytes(7).toString('hex').slice(1).toUpperCase();
}

export const isEnded = ({ ended }: Step): boolean => ended !== undefined;

/** Whether the cluster accepts steps and changes. */
export const isOpen = ({ ending }: Cluster): boolean => ending === undefined;

/** Only the first call has an effect. */
export function endCluster(
  cluster: Cluster,
  Code: ClusterStateChangeReasonCode,
  Message: string,
  state: Ending['state'] = 'TERMINATED_WITH_ERRORS',
): void {
  if (!isOpen(cluster)) return;
  cluster.ending = { state, reason: { Code, Message } };
  cluster.state = 'TERMINATING';
  cluster.reason = cluster.ending.reason;
  cluster.abort.abort();
  cluster.wake();
}

export function terminateByUser(cluster: Cluster): void {
  endCluster(cluster, 'USER_REQUEST', 'Terminated by user request', 'TERMINATED');
}

export function endStep(step: Step, state: StepState): void {
  step.state = state;
  step.ended = new Date();
}

/** The longest timer of Node: 24 days. */
export const FOR_EVER_MS = 2 ** 31 - 1;

/** Waits. Rejects if the cluster must end. */
export async function pause(ms: number, { abort }: Cluster): Promise<void> {
  await delay(ms, undefined, { signal: abort.signal });
}
