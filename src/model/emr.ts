import type { ErrorCode } from './errors.ts';

/** Where converted files stay: on the cluster's HDFS, in the bucket, or both. */
export const EMR_OUTPUTS = ['hdfs', 's3', 'both'] as const;
export type EmrOutput = (typeof EMR_OUTPUTS)[number];

/** What a run needs of the worker's settings. The run reads it once. */
export interface EmrPlan {
  output: EmrOutput;
  /** Number of instances of a cluster that the run makes. */
  instances: number;
  /** How long a cluster may take until it accepts work. */
  startLimitMs: number;
  stepLimitMs: number;
  maxInstanceHours: number;
  /** True if a cluster that the run made stays after the run has succeeded. */
  keepAlive: boolean;
}

/** The states of a cluster with EMR's names. */
export type ClusterState =
  | 'STARTING'
  | 'BOOTSTRAPPING'
  | 'RUNNING'
  | 'WAITING'
  | 'TERMINATING'
  | 'TERMINATED'
  | 'TERMINATED_WITH_ERRORS';

export type StepState =
  'PENDING' | 'CANCEL_PENDING' | 'RUNNING' | 'COMPLETED' | 'CANCELLED' | 'FAILED' | 'INTERRUPTED';

/** A cluster as EMR described it at one moment. */
export interface EmrCluster {
  id: string;
  /** True if Longhaul created the cluster for this run. Only then the run may end it. */
  isOurs: boolean;
  state: ClusterState;
  /** EMR's code, such as BOOTSTRAP_FAILURE. */
  reasonCode?: string;
  /** EMR's words, such as "Provisioning Amazon EC2 capacity". */
  reason?: string;
  /** `s3://…/<cluster>/`; absent for a cluster without logs. */
  logUri?: string;
  /** Number of instances that the run requested; 0 if the run did not make the cluster. */
  instances: number;
  /** Unix time in ms. */
  createdAtMs: number;
  endedAtMs?: number;
}

/** A step as EMR described it at one moment. */
export interface EmrStep {
  id: string;
  state: StepState;
  /** EMR's words on the step's state and its failure. */
  reason?: string;
  startedAtMs?: number;
}

/** `convert`: all sources to Parquet on HDFS. `copy`: HDFS to S3. `count`: the rows of files that stay on HDFS. */
export type StepKind = 'convert' | 'copy' | 'count';

/** The part about EMR in the answer to the query `progress`. */
export interface EmrProgress {
  /** The cluster in use. If the run loses it, the next one replaces it. */
  cluster?: EmrCluster;
  /** Steps on all clusters of the run: two, if no step is repeated. */
  steps: EmrStepProgress[];
  /** Instance-hours that the earlier clusters have used. */
  earlierInstanceHours: number;
  /** Id of a cluster that EMR did not end for the run, so that it may still cost. `?` if the id is not known. */
  clusterLeft?: string;
}

export interface EmrStepProgress extends EmrStep {
  kind: StepKind;
}

/** The warning for the user; '' if no cluster is left. */
export function clusterLeftText({ clusterLeft: id }: Pick<EmrProgress, 'clusterLeft'>): string {
  if (id === undefined) return '';
  return `The cluster ${id} of this run may still be there, and cost: \`longhaul sweep\` ends it.`;
}

const ENDING: ReadonlySet<ClusterState> = new Set([
  'TERMINATING',
  'TERMINATED',
  'TERMINATED_WITH_ERRORS',
]);
const ENDED_STEPS: ReadonlySet<StepState> = new Set([
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'INTERRUPTED',
]);

export function isEnding({ state }: Pick<EmrCluster, 'state'>): boolean {
  return ENDING.has(state);
}

/** True if the cluster accepts steps and runs them. */
export function isReady({ state }: Pick<EmrCluster, 'state'>): boolean {
  return state === 'RUNNING' || state === 'WAITING';
}

export function hasEnded({ state }: Pick<EmrStep, 'state'>): boolean {
  return ENDED_STEPS.has(state);
}

/** The instance-hours that AWS charges until now, or until the cluster's end. */
export function instanceHours(
  { instances, createdAtMs, endedAtMs }: EmrCluster,
  nowMs: number,
): number {
  return (instances * Math.max(0, (endedAtMs ?? nowMs) - createdAtMs)) / HOUR_MS;
}

const HOUR_MS = 3_600_000;

/** The error of the catalogue for the end of a cluster, from EMR's code and words. */
export function clusterFailure({ reasonCode, reason = '' }: EmrCluster): ErrorCode {
  if (NO_CAPACITY.test(reason)) return 'EMR_NO_CAPACITY';
  switch (reasonCode) {
    case 'BOOTSTRAP_FAILURE':
      return 'EMR_BOOTSTRAP_FAILED';
    case 'INSTANCE_FLEET_TIMEOUT':
      return 'EMR_NO_CAPACITY';
    case 'INSTANCE_FAILURE':
    case 'INTERNAL_ERROR':
    case 'ALL_STEPS_COMPLETED':
      return 'EMR_CLUSTER_LOST';
    case 'USER_REQUEST':
      return IDLE.test(reason) ? 'EMR_CLUSTER_LOST' : 'EMR_CLUSTER_ENDED';
    default:
      return 'EMR_CLUSTER_FAILED';
  }
}

/** EC2's words if it does not have the instances. EMR reports them with several codes. */
const NO_CAPACITY =
  /insufficient.{0,20}capacity|not enough capacity|no spot capacity|capacity-not-available|max ?spot ?instance ?count|spot.{0,40}not (?:be )?(?:available|fulfilled)/i;
/** EMR's words if the cluster's own policy ended it. */
const IDLE = /auto-?terminat|idle/i;

/** True if another cluster of the same kind may soon succeed. */
export function isWorthAnotherCluster(code: ErrorCode): boolean {
  return ['EMR_NO_CAPACITY', 'EMR_CLUSTER_LOST'].includes(code);
}

/**
 * True if a step failed because machines were lost, and not because of the job. The same step may then succeed.
 * @param text EMR's words and the end of the log.
 */
export function isLostNodes(text: string): boolean {
  return LOST_NODES.test(text) && !isOwnFault(text);
}

/** True if the job would fail in the same way on any cluster. */
export function isOwnFault(text: string): boolean {
  return OWN_FAULT.test(text);
}

const LOST_NODES =
  /ExecutorLostFailure|Slave lost|Executor heartbeat timed out|on a \*?lost\*? node|node ?manager.{0,40}lost|spot (?:instance )?(?:interrupt|reclaim|terminat|loss|lost)|decommission|ClosedChannelException|Could not obtain block|BlockMissingException|instance.{0,30}(?:was )?(?:reclaimed|interrupted)/i;
const OWN_FAULT = /AnalysisException|ParseException|SyntaxError|OutOfMemoryError|AccessDenied/;

/**
 * EMR has no client tokens. So before the worker makes a cluster or a step, it looks for one with the same name. Users
 * and `longhaul sweep` also recognise the run of a cluster by its name.
 */
export interface ClusterName {
  dataset: string;
  ingestDate: string;
  /** Run id of the workflow `ingestDataset`. */
  runId: string;
  /** Number of the cluster in its run, from 1. If the run loses a cluster, it makes another. */
  generation: number;
}

export function clusterName({ dataset, ingestDate, runId, generation }: ClusterName): string {
  return `longhaul/${dataset}/${ingestDate}/${runId}/${generation}`;
}

const CLUSTER_NAME =
  /^longhaul\/([a-z0-9-]+)\/(\d{4}-\d{2}-\d{2})\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/([1-9]\d{0,3})$/;

/** The inverse of `clusterName`; undefined if Longhaul did not make the cluster. */
export function parseClusterName(name: string): ClusterName | undefined {
  const match = CLUSTER_NAME.exec(name);
  if (!match) return undefined;
  const [, dataset = '', ingestDate = '', runId = '', generation = ''] = match;
  return { dataset, ingestDate, runId, generation: Number(generation) };
}

/** Proves, with the name, that Longhaul made a cluster. The name alone may be any user's choice. */
export const RUN_TAG = 'longhaul:run';
/** `s3://bucket/prefix/`. A sweep ends only clusters of its own lake, because only its Temporal knows their runs. */
export const LAKE_TAG = 'longhaul:lake';
/** The cluster stays until the time in the tag's value (ISO 8601). */
export const KEPT_TAG = 'longhaul:kept';
/** AWS's managed V2 policies let EMR work only with clusters that have this tag. */
export const MANAGED_POLICIES_TAG = 'for-use-with-amazon-emr-managed-policies';
export const DATASET_TAG = 'longhaul:dataset';
export const DATE_TAG = 'longhaul:ingest-date';

export function stepName(step: {
  runId: string;
  kind: StepKind;
  /** Number from 1, counted over all clusters of the run. */
  attempt: number;
}): string {
  return `longhaul/${step.runId}/${step.kind}/${step.attempt}`;
}

/** Id of the child workflow of a run. If a day has several runs, each has its own. */
export function emrWorkflowId({ dataset, ingestDate, runId }: Omit<ClusterName, 'generation'>) {
  return `emr/${dataset}/${ingestDate}/${runId}`;
}
