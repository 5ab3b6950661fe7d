import { setTimeout as delay } from 'node:timers/promises';
import type {
  ClusterState,
  ClusterStateChangeReasonCode,
  FailureDetails,
  RunJobFlowInput,
  StepConfig,
  StepState,
  Tag,
} from '@aws-sdk/client-emr';
import type { EmrFaults } from './faults.ts';
import type { EmrRuntime } from './runtime.ts';
import type { EmrAccount } from './validate-cluster.ts';

export interface Reason {
  Code?: ClusterStateChangeReasonCode;
  Message?: string;
}

/** How a cluster ends. */
export interface Ending {
  state: 'TERMINATED' | 'TERMINATED_WITH_ERRORS';
  reason: Reason;
}

/** A cluster as the server keeps it. Code that changes it calls `wake`, so that its life goes on. */
export interface Cluster {
  readonly id: string;
  readonly arn: string;
  readonly request: RunJobFlowInput;
  readonly createdMs: number;
  readyMs?: number;
  endedMs?: number;
  state: ClusterState;
  reason: Reason;
  tags: Tag[];
  /** In the order they were added. */
  steps: Step[];
  keepAlive: boolean;
  /** From termination; EMR does it by itself for several masters. */
  isProtected: boolean;
  stepConcurrency: number;
  /** Steps of other clients, which count towards those that EMR allows at once. */
  othersOpen?: { steps: number; untilMs: number };
  /** Each settles when a step's logs are where they belong. */
  logs: Promise<void>[];
  /** Of its auto-termination policy, in seconds. */
  idleTimeout: number | undefined;
  /** Where its machine is reached: the folder, HDFS, what runs on it. None before it is provisioned, and after its end. */
  webHdfsUrl?: string | undefined;
  /** Set once: it is to end so. */
  ending?: Ending;
  /** Ends the wait of its life for something to do. */
  wake: () => void;
  /** Aborted when it is to end. */
  readonly abort: AbortController;
}

export interface Step {
  readonly id: string;
  readonly config: StepConfig;
  readonly createdMs: number;
  startedMs?: number;
  endedMs?: number;
  state: StepState;
  reason: StepReason;
  failure?: FailureDetails;
  /** What runs it, while it runs. */
  cancel?: (how: CancelHow) => void;
  cancelAsked?: CancelHow;
}

/** Steps have one code of their own. */
export interface StepReason {
  Code?: 'NONE';
  Message?: string;
}

export type CancelHow = 'SEND_INTERRUPT' | 'TERMINATE_PROCESS';

const ENDED_STEPS: ReadonlySet<StepState> = new Set([
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'INTERRUPTED',
]);

export const isEnded = ({ state }: Step): boolean => ENDED_STEPS.has(state);

/** It takes steps, and can be modified. */
export function isOpen({ state, ending }: Cluster): boolean {
  const isGoing =
    state === 'TERMINATING' || state === 'TERMINATED' || state === 'TERMINATED_WITH_ERRORS';
  return !isGoing && ending === undefined;
}

/** Takes effect once: what comes later changes nothing. */
export function endCluster(cluster: Cluster, ending: Ending): void {
  if (!isOpen(cluster)) return;
  cluster.ending = ending;
  cluster.state = 'TERMINATING';
  cluster.reason = ending.reason;
  cluster.abort.abort();
  cluster.wake();
}

export const USER_REQUEST: Ending = {
  state: 'TERMINATED',
  reason: { Code: 'USER_REQUEST', Message: 'Terminated by user request' },
};

/** How long a state lasts, in ms; on AWS minutes. */
export interface EmrDelays {
  /** STARTING. */
  provisioningMs: number;
  /** BOOTSTRAPPING, beside what the actions and HDFS take. */
  bootstrappingMs: number;
  /** TERMINATING. */
  terminatingMs: number;
  /** From the moment when a step could run to its start; on EMR some seconds. */
  beforeStepMs: number;
  /** From a step's end to its logs in S3, unless the cluster ends before; on EMR up to five minutes. */
  logsMs: number;
  /** What passes for a second of an idle timeout, whose least is 60 of them, and of a shutdown that was asked for. */
  secondMs: number;
}

export interface EmrContext {
  runtime: EmrRuntime;
  account: EmrAccount;
  delays: EmrDelays;
  /** Read at each turn: they may be changed at any time. */
  faults: () => EmrFaults;
  now: () => number;
}

/** As long as a timer can be: 24 days. */
export const FOR_EVER_MS = 2 ** 31 - 1;

/** Waits, or ends with an error where the cluster is to end. */
export async function pause(ms: number, { abort }: Cluster): Promise<void> {
  await delay(ms, undefined, { signal: abort.signal });
}
