import type { ErrorCode } from './errors.ts';

/** Where converted files stay: on the cluster's HDFS, in the bucket, or both. */
export const EMR_OUTPUTS = ['hdfs', 's3', 'both'] as const;
export type EmrOutput = (typeof EMR_OUTPUTS)[number];

/** What a run needs of the worker's settings, which are asked once. */
export interface EmrPlan {
  output: EmrOutput;
  /** Of a cluster that the run makes. */
  instances: number;
  /** Until the cluster takes work. */
  startLimitMs: number;
  stepLimitMs: number;
  maxInstanceHours: number;
  /** A cluster of ours stays after a run that ended well. */
  keepAlive: boolean;
}

/** EMR's own names. */
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
  /** We created it, for this run: only then it is ours to end. */
  isOurs: boolean;
  state: ClusterState;
  /** EMR's code, such as BOOTSTRAP_FAILURE. */
  reasonCode?: string;
  /** EMR's words, such as "Provisioning Amazon EC2 capacity". */
  reason?: string;
  /** `s3://…/<cluster>/`; absent for a cluster without logs. */
  logUri?: string;
  /** Instances that it was asked for; 0 for a cluster that is not ours. */
  instances: number;
  /** Unix, ms. */
  createdAtMs: number;
  endedAtMs?: number;
}

/** A step as EMR described it at one moment. */
export interface EmrStep {
  id: string;
  state: StepState;
  /** EMR's words: of its state, and of its failure. */
  reason?: string;
  startedAtMs?: number;
}

/** The work of a step: all sources to Parquet on HDFS, the way to S3, and the rows of what stays on HDFS. */
export type StepKind = 'convert' | 'copy' | 'count';

/** Part of the answer to the query `progress`: everything of EMR that a person wants to see. */
export interface EmrProgress {
  /** The one in use; one that was lost is replaced by the next. */
  cluster?: EmrCluster;
  /** Of all clusters of the run: two, where nothing is done again. */
  steps: EmrStepProgress[];
  /** What the clusters before this one have used. */
  earlierInstanceHours: number;
  /** A cluster of the run that may still be there, and cost: EMR took no end of it. `?` where its id is not known. */
  clusterLeft?: string;
}

export interface EmrStepProgress extends EmrStep {
  kind: StepKind;
}

/** What has changed, alone. */
export type EmrNews = Partial<EmrProgress>;

export function addNews(progress: EmrProgress, { steps = [], ...rest }: EmrNews): void {
  Object.assign(progress, rest);
  for (const step of steps) {
    const index = progress.steps.findIndex(({ id }) => id === step.id);
    if (index < 0) progress.steps.push(step);
    else progress.steps[index] = step;
  }
}

/** '' where none is left. */
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

/** Whether the cluster takes steps and runs them. */
export function isReady({ state }: Pick<EmrCluster, 'state'>): boolean {
  return state === 'RUNNING' || state === 'WAITING';
}

export function hasEnded({ state }: Pick<EmrStep, 'state'>): boolean {
  return ENDED_STEPS.has(state);
}

/** What AWS charges for, until now or until its end. */
export function instanceHours(
  { instances, createdAtMs, endedAtMs }: EmrCluster,
  nowMs: number,
): number {
  return (instances * Math.max(0, (endedAtMs ?? nowMs) - createdAtMs)) / HOUR_MS;
}

const HOUR_MS = 3_600_000;

/** Why a cluster is at its end, as an error of the catalogue, from EMR's code and words. */
export function clusterFailure({ reasonCode, reason = '' }: EmrCluster): ErrorCode {
  if (NO_CAPACITY.test(reason)) return 'EMR_NO_CAPACITY';
  switch (reasonCode) {
    case 'BOOTSTRAP_FAILURE':
      return 'EMR_BOOTSTRAP_FAILED';
    case 'INSTANCE_FLEET_TIMEOUT':
      return 'EMR_NO_CAPACITY';
    case 'INSTANCE_FAILURE':
    case 'INTERNAL_ERROR':
      return 'EMR_CLUSTER_LOST';
    case 'ALL_STEPS_COMPLETED':
      return 'EMR_CLUSTER_LOST';
    case 'USER_REQUEST':
      return IDLE.test(reason) ? 'EMR_CLUSTER_LOST' : 'EMR_CLUSTER_ENDED';
    default:
      return 'EMR_CLUSTER_FAILED';
  }
}

/** EC2's words for instances that it does not have; EMR passes them on under several codes. */
const NO_CAPACITY =
  /insufficient.{0,20}capacity|not enough capacity|no spot capacity|capacity-not-available|max ?spot ?instance ?count|spot.{0,40}not (?:be )?(?:available|fulfilled)/i;
/** Terminated by its own policy. */
const IDLE = /auto-?terminat|idle/i;

/** Whether another cluster of the same kind may do better, soon. */
export function isWorthAnotherCluster(code: ErrorCode): boolean {
  return ['EMR_NO_CAPACITY', 'EMR_CLUSTER_LOST'].includes(code);
}

/**
 * Whether a step's failure came with machines that went away and not with the job: the same step may do better.
 * @param text EMR's words and the end of the log.
 */
export function isLostNodes(text: string): boolean {
  return LOST_NODES.test(text) && !isOwnFault(text);
}

/** Whether the job would fail so again, wherever it runs. */
export function isOwnFault(text: string): boolean {
  return OWN_FAULT.test(text);
}

const LOST_NODES =
  /ExecutorLostFailure|Slave lost|Executor heartbeat timed out|on a \*?lost\*? node|node ?manager.{0,40}lost|spot (?:instance )?(?:interrupt|reclaim|terminat|loss|lost)|decommission|ClosedChannelException|Could not obtain block|BlockMissingException|instance.{0,30}(?:was )?(?:reclaimed|interrupted)/i;
const OWN_FAULT = /AnalysisException|ParseException|SyntaxError|OutOfMemoryError|AccessDenied/;

/**
 * EMR knows no client tokens: a cluster and a step are found again by their names, before another one is made.
 * A cluster's name also says whose it is, to people and to `longhaul sweep`.
 */
export interface ClusterName {
  dataset: string;
  ingestDate: string;
  /** The run of the workflow `ingestDataset`. */
  runId: string;
  /** From 1: a run whose cluster was lost makes another. */
  generation: number;
}

export function clusterName({ dataset, ingestDate, runId, generation }: ClusterName): string {
  return `longhaul/${dataset}/${ingestDate}/${runId}/${generation}`;
}

const CLUSTER_NAME =
  /^longhaul\/([a-z0-9-]+)\/(\d{4}-\d{2}-\d{2})\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/([1-9]\d{0,3})$/;

/** The other way round; undefined for a cluster that Longhaul did not make. */
export function parseClusterName(name: string): ClusterName | undefined {
  const match = CLUSTER_NAME.exec(name);
  if (!match) return undefined;
  const [, dataset = '', ingestDate = '', runId = '', generation = ''] = match;
  return { dataset, ingestDate, runId, generation: Number(generation) };
}

/** The second proof that a cluster is ours, beside its name: any user of the account may choose a name. */
export const RUN_TAG = 'longhaul:run';
/** `s3://bucket/prefix/`: whose Temporal is asked whether the run is over. */
export const LAKE_TAG = 'longhaul:lake';
/** The cluster stays on purpose, until the time that is the tag's value (ISO 8601). */
export const KEPT_TAG = 'longhaul:kept';
/** Without it AWS's managed policies of EMR, the V2 ones, let the service do nothing with the cluster. */
export const MANAGED_POLICIES_TAG = 'for-use-with-amazon-emr-managed-policies';
export const DATASET_TAG = 'longhaul:dataset';
export const DATE_TAG = 'longhaul:ingest-date';

export function stepName(step: {
  runId: string;
  kind: StepKind;
  /** From 1: counted over all clusters of the run. */
  attempt: number;
}): string {
  return `longhaul/${step.runId}/${step.kind}/${step.attempt}`;
}

/** The child workflow of a run; several runs of a day have one each. */
export function emrWorkflowId({ dataset, ingestDate, runId }: Omit<ClusterName, 'generation'>) {
  return `emr/${dataset}/${ingestDate}/${runId}`;
}
