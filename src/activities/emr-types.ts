import type { ErrorCode, ErrorLog } from '../model/errors.ts';
import type { EmrCluster, EmrOutput, EmrStep, StepKind } from '../model/emr.ts';
import type { SourceTask } from '../model/run.ts';
import type { LandedTask } from '../storage/staged.ts';

/** What passes between the workflow `convertOnEmr` and its activities. Settings are the worker's: none of them is secret here. */

export interface EmrRun {
  dataset: string;
  ingestDate: string;
  revision: number;
  /** The run of `ingestDataset`. */
  runId: string;
}

/** What the workflow needs of the worker's settings, once a run. */
export interface EmrPlan {
  output: EmrOutput;
  /** Of a cluster that the run makes. */
  instances: number;
  pollMs: number;
  provisioningLimitMs: number;
  bootstrapLimitMs: number;
  stepLimitMs: number;
  maxInstanceHours: number;
  /** A cluster of ours stays after a run that ended well. */
  keepAlive: boolean;
}

export interface OpenClusterInput extends EmrRun {
  /** From 1. */
  generation: number;
  /** What the run's earlier clusters have used. */
  usedInstanceHours: number;
}

export interface PollInput {
  /** As it was when it was opened. */
  cluster: Pick<EmrCluster, 'id' | 'isOurs' | 'instances'>;
  /** Those whose end is waited for. */
  stepIds: string[];
}

export interface PollResult {
  cluster: EmrCluster;
  steps: EmrStep[];
  /** By the worker's clock, which AWS's times are near to. */
  instanceHours: number;
}

export interface StageJobInput extends LandedTask {
  /** From 1; a repeated step has a job of its own. */
  attempt: number;
}

export interface StagedJob {
  /** `s3://…/job.json`. */
  jobUri: string;
  /** Folder on HDFS, from `/` to `/`. */
  hdfsFolder: string;
}

export interface SubmitInput {
  clusterId: string;
  runId: string;
  source: string;
  kind: StepKind;
  attempt: number;
  command: StepCommand;
}

/** `from` and `to`: folder URIs, with `/` at their ends. */
export type StepCommand =
  { script: 'convert.py' | 'count.py'; args: string[] } | { from: string; to: string };

export interface ExplainInput extends SourceTask {
  cluster: EmrCluster;
  step: EmrStep;
  kind: StepKind;
  attempt: number;
}

export interface StepFailure {
  code: ErrorCode;
  message: string;
  log?: ErrorLog;
  /** Its nodes went away: the same step may do better. */
  isLostNodes: boolean;
}

export interface CountedInput extends StageJobInput {
  clusterId: string;
}

export interface CountInput extends CountedInput {
  hdfsFolder: string;
  /** What a step has counted; absent: this worker asks WebHDFS. */
  isCountedByStep: boolean;
}

export type CountResult =
  | { outcome: 'counted'; parts: number; rows: number }
  /** `args`: those of the step that counts instead. */
  | { outcome: 'unreachable'; why: string; args: string[] };

export interface CopyInput extends CountedInput {
  hdfsFolder: string;
}

export interface CopiedInput extends StageJobInput {
  /** In the converted zone, ending with `/`: where it says which files the step has copied. */
  stagedPrefix: string;
}

export interface HdfsManifestInput extends EmrRun {
  clusterId: string;
  sources: string[];
  output: EmrOutput;
}

export interface CloseInput extends EmrRun {
  /** Absent: it is not known whether there is one. */
  cluster?: Pick<EmrCluster, 'id' | 'isOurs' | 'instances'>;
  /** Of a cluster of ours, also of one that the run does not know. */
  instances: number;
  /** Steps of ours that may not have ended. */
  openStepIds: string[];
  /** A cluster of ours that is to stay, until it has been idle for long enough. */
  keep: boolean;
  /** What the run has left on HDFS of a cluster that goes on is of no use. */
  discard: boolean;
}
