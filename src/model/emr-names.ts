import type { StepKind } from './emr.ts';

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
