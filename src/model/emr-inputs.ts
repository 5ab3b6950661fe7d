import type { ErrorCode, ErrorLog } from './errors.ts';
import type { EmrCluster, EmrStep, StepKind } from './emr.ts';
import type { EmrSource, RunDay, RunError } from './run.ts';

/** Inputs and results of the activities of the workflow `convertOnEmr`. None has a setting: the worker has them. */

export interface OpenClusterInput extends RunDay {
  /** Number of the cluster in its run, from 1. */
  generation: number;
  /** Instance-hours that the run's earlier clusters have used. */
  usedInstanceHours: number;
}

/** The facts of a cluster that do not change after the run has opened it. */
export type OpenCluster = Pick<EmrCluster, 'id' | 'isOurs' | 'instances'>;

export interface WatchInput {
  cluster: OpenCluster;
  /** Id of the step whose end the workflow waits for. */
  stepId: string | undefined;
  /** The states that the workflow knows. The activity returns when one of them changes. */
  known: { cluster: EmrCluster['state']; step: EmrStep['state'] | undefined };
  /** The activity also returns after this time. */
  forMs: number;
}

export interface WatchResult {
  cluster: EmrCluster;
  step: EmrStep | undefined;
  /** Calculated with the worker's clock, which may differ a little from that of AWS. */
  instanceHours: number;
}

export interface SubmitInput extends RunDay {
  clusterId: string;
  generation: number;
  kind: StepKind;
  /** Number of the step among those of its kind, from 1, over all clusters of the run. */
  attempt: number;
  /** Ids of the sources that the step converts. */
  ids?: string[];
  /** Sources whose rows the step counts. If `isWhole` and all counts are right, the step publishes the day on HDFS. */
  sources?: EmrSource[];
  isWhole?: boolean;
}

export interface TakeInput extends RunDay {
  generation: number;
  ids: string[];
}

export interface TakeResultsInput extends TakeInput {
  /** The cause in the log of the session that died, for the errors of the sources that it stopped. */
  death?: string;
  /** True if there is no other try for sources whose nodes were lost. */
  isLast: boolean;
}

export interface TakenSources {
  /** Ids of the sources that have neither a result nor an error. Another session goes on with them. */
  open: string[];
  failed: RunError[];
  /** Number of starts of a source during which the job died. */
  deadStarts: number;
}

export interface ExplainInput extends RunDay {
  cluster: EmrCluster;
  step: EmrStep;
  kind: StepKind;
  /** True if the cluster has ended. EMR then uploads the logs soon, so the worker waits for them. */
  isOver: boolean;
}

export interface StepFailure {
  code: ErrorCode;
  message: string;
  /** Only the likely cause; '' if it is not known. */
  cause: string;
  log?: ErrorLog;
  /** True if another try may succeed, because nodes were lost or the job itself is not at fault. */
  isWorthRetry: boolean;
}

export interface CloseInput extends RunDay {
  /** Absent if the run does not know whether it has a cluster. */
  cluster?: OpenCluster;
  /** Number of instances of each cluster that the run made, even of one that it does not know. */
  instances: number;
  /** Ids of the run's steps that may not have ended. */
  openStepIds: string[];
  /** True if a cluster that the run made stays until its keep-alive time is over. */
  keep: boolean;
}
