import type { ErrorCode, ErrorLog } from './errors.ts';
import type { EmrCluster, EmrStep, StepKind } from './emr.ts';
import type { EmrSource, RunDay, RunError, SourceTask } from './run.ts';

/** What passes between the workflow `convertOnEmr` and its activities. Settings are the worker's: none of them is secret here. */

export interface OpenClusterInput extends RunDay {
  /** From 1. */
  generation: number;
  /** What the run's earlier clusters have used. */
  usedInstanceHours: number;
}

/** A cluster as it was when it was opened. */
export type OpenCluster = Pick<EmrCluster, 'id' | 'isOurs' | 'instances'>;

export interface WatchInput {
  cluster: OpenCluster;
  /** Whose end is waited for. */
  stepId: string | undefined;
  /** What is known already: the answer comes when one of them is another. */
  known: { cluster: EmrCluster['state']; step: EmrStep['state'] | undefined };
  /** … or after this time. */
  forMs: number;
}

export interface WatchResult {
  cluster: EmrCluster;
  step: EmrStep | undefined;
  /** By the worker's clock, which AWS's times are near to. */
  instanceHours: number;
}

export interface SubmitInput extends RunDay {
  clusterId: string;
  generation: number;
  kind: StepKind;
  /** From 1: of the kind, over all clusters. */
  attempt: number;
  /** What is to be converted, by ids. */
  ids?: string[];
  /** What is to be counted; where it `isWhole`, the day is published on HDFS, if all is right. */
  sources?: EmrSource[];
  isWhole?: boolean;
}

export interface TakeInput extends RunDay {
  generation: number;
  ids: string[];
}

export interface TakeResultsInput extends TakeInput {
  /** What the logs of the sessions say that died, for the sources that it is the reason of. */
  death?: string;
  /** Sources whose nodes went away are not done again. */
  isLast: boolean;
}

export interface TakenSources {
  /** Ids of those without an end: another session goes on with them. */
  open: string[];
  failed: RunError[];
  /** Starts of sources in which the job died. */
  deadStarts: number;
}

export interface ExplainInput extends RunDay {
  cluster: EmrCluster;
  step: EmrStep;
  kind: StepKind;
  /** EMR brings logs every five minutes, and when a cluster ends: then they are worth waiting for. */
  isOver: boolean;
}

export interface StepFailure {
  code: ErrorCode;
  message: string;
  /** The likely cause alone; '' where none is known. */
  cause: string;
  log?: ErrorLog;
  /** Another try may do better: its nodes went away, or nothing of its own is at fault. */
  isWorthRetry: boolean;
}

export interface OnHdfsInput extends SourceTask {
  rawKey: string;
}

export interface CloseInput extends RunDay {
  /** Absent: it is not known whether there is one. */
  cluster?: OpenCluster;
  /** Of a cluster of ours, also of one that the run does not know. */
  instances: number;
  /** Steps of ours that may not have ended. */
  openStepIds: string[];
  /** A cluster of ours that is to stay, until its time is over. */
  keep: boolean;
}
