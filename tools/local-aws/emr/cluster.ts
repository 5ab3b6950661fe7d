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
  /** In the order they were added. */
  readonly steps: Step[];
  /** From termination; EMR does it by itself for several masters. */
  isProtected: boolean;
  /** Steps of other clients, which count towards those that EMR allows at once. */
  othersOpen?: { steps: number; untilMs: number };
  /** Each settles when a step's logs are where they belong. */
  readonly logs: Promise<void>[];
  /** Of its auto-termination policy, in seconds. */
  idleTimeout: number | undefined;
  /** None before it is provisioned, and after its end. */
  machine?: Machine | undefined;
  /** Set once: it is to end so. */
  ending?: Ending;
  /** Ends the wait of its life for something to do. */
  wake: () => void;
  /** Aborted when it is to end. */
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
  /** What runs it, while it runs. */
  cancel?: () => void;
}

/** What clusters run on: this machine, or in tests of the protocol something quicker. */
export interface EmrRuntime {
  /** @throws where the machine cannot be set up: the cluster ends with INTERNAL_ERROR. */
  prepare(cluster: Cluster, hdfsBytes: number | undefined): Promise<Machine>;
}

/** All nodes of one cluster. */
export interface Machine {
  /** Of the NameNode: `http://127.0.0.1:<port>`. */
  webHdfsUrl: string;
  /** When the master was asked to shut itself down: how long that was to take. */
  shutDownMinutes(): Promise<number | undefined>;
  /** @returns the exit code of action 1, 2, … */
  bootstrap(action: BootstrapActionConfig, index: number, signal: AbortSignal): Promise<number>;
  start(step: Step, fault: StepFault | undefined): Promise<RunningProgram>;
  /** Of a step that is over. Never rejects: logs that S3 does not take are given up. */
  saveLogs(stepId: string): Promise<void>;
  /** What its files take of HDFS, from 0 to 1. */
  hdfsUse(): Promise<number>;
  /** Ends all that runs on it, and removes its HDFS and folder. */
  stop(): Promise<void>;
}

/** It never ends by itself, or is killed in the middle of its copy. */
export type StepFault = 'hang' | 'copyFailure';

/** Of a step or a job run. */
export interface RunningProgram {
  /** Never rejects. */
  ended: Promise<ProgramEnd>;
  cancel(): void;
}

export interface ProgramEnd {
  isCompleted: boolean;
  /** What is known of a failure: `stderr`'s last exception. */
  message?: string | undefined;
}

/** How long a state lasts, in ms; on AWS minutes. */
export interface EmrDelays {
  /** STARTING. */
  provisioningMs: number;
  /** From the moment when a step could run to its start; on EMR some seconds. */
  beforeStepMs: number;
  /** From a step's end to its logs in S3, unless the cluster ends before; on EMR up to five minutes. */
  logsMs: number;
  /** What passes for a second of an idle timeout, whose least is 60 of them, and of a shutdown that was asked for. */
  secondMs: number;
}

export interface EmrContext {
  runtime: EmrRuntime;
  /** Subnets that exist; undefined: every one does. */
  subnets: readonly string[] | undefined;
  delays: EmrDelays;
  /** Read at each turn: they may be changed at any time. */
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

/** It takes steps, and can be modified. */
export const isOpen = ({ ending }: Cluster): boolean => ending === undefined;

/** Takes effect once: what comes later changes nothing. */
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

/** As long as a timer can be: 24 days. */
export const FOR_EVER_MS = 2 ** 31 - 1;

/** Waits, or ends with an error where the cluster is to end. */
export async function pause(ms: number, { abort }: Cluster): Promise<void> {
  await delay(ms, undefined, { signal: abort.signal });
}
