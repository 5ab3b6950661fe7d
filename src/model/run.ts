import type { DatasetSpec, Engine, SourceSpec } from './dataset.ts';
import type { EmrOutput, EmrPlan, EmrProgress } from './emr.ts';
import type { ErrorCode, ErrorLog } from './errors.ts';
import type { Ledger } from './ledger.ts';
import type { SourceEntry } from './manifest.ts';
import type { PublishedTable } from './table.ts';

/** `land` and `convert` are the two halves of `ingest`; `land` publishes nothing. */
export type RunMode = 'ingest' | 'land' | 'convert';

/**
 * The only argument of the workflow `ingestDataset`: small, without credentials, readable in the Web UI. A name is
 * enough: the workflow's id has the day, and the worker's datasets.yaml and settings have the rest.
 */
export interface IngestInput {
  /** A name of datasets.yaml. */
  dataset: string;
  /** Default: the day in the workflow's id. */
  ingestDate?: string;
  /** Default: `ingest`. */
  mode?: RunMode;
  engine?: Engine;
  /** True if the run publishes a new revision although one is published. */
  again?: boolean;
  /** True if the run publishes although the snapshot shrank or the columns changed. */
  accept?: boolean;
  /** True if the run stores today's version of the sources as that of a past day. */
  asIf?: boolean;
  /** True if the run uses sources that an earlier run of the day finished, without a request to the publisher. */
  retry?: boolean;
  /** True if a user waits for the run at a terminal. A host name that DNS does not know then ends it after 30 s. */
  followed?: boolean;
  /** True if a backfill started the run. It then uses slots of its own, so that it does not delay today's runs. */
  backfill?: boolean;
  /** The dataset's entry in the datasets.yaml of the command or schedule. Default: that of the worker. */
  spec?: DatasetSpec;
  /** Number of sources that the run works on at once. */
  sourceConcurrency?: number;
  /** If an attempt sends no heartbeat for this long, Temporal gives it up and starts the next one. */
  heartbeatTimeoutMs?: number;
}

/** The input of the day's own run. */
export type DayInput = IngestInput & { ingestDate: string };

/** The input with the values that a worker has filled in. */
export interface RunPlan extends Required<
  Pick<IngestInput, 'mode' | 'engine' | 'spec' | 'sourceConcurrency' | 'heartbeatTimeoutMs'>
> {
  /** Engine `spark` only: bytes of copies for Spark that the run keeps on the disk at once. */
  stageBytes?: number;
  /** Settings of the cluster; engine `emr` only. */
  emr?: EmrPlan;
  /** True if the namespace has the search attributes. An unknown one would fail the workflow task for ever. */
  hasSearchAttributes: boolean;
}

/** With this workflow id, a dataset and day have at most one run at a time. */
export function ingestWorkflowId(dataset: string, ingestDate: string): string {
  return `ingest/${dataset}/${ingestDate}`;
}

/** Task queues by the kind of work, each with slots of its own. */
export interface TaskQueues {
  /** Workflows and short steps, which must not wait for a download or a conversion. */
  control: string;
  /** Probes and landings. */
  transfer: string;
  /** Inspections and conversions. */
  convert: string;
  /** Transfers and conversions of backfilled days. */
  backfill: string;
}

/** The queues of one lake. Each lake has its own, so that workers of other lakes do not take its work. */
export function queuesOf(lakeId: string): TaskQueues {
  return queuesBeside(`longhaul-${lakeId}`);
}

/** @param control the queue that a workflow runs on. */
export function queuesBeside(control: string): TaskQueues {
  return {
    control,
    transfer: `${control}-transfer`,
    convert: `${control}-convert`,
    backfill: `${control}-backfill`,
  };
}

/** Search attributes, registered by the embedded server and by `longhaul worker`. */
export const SEARCH_ATTRIBUTES = {
  dataset: 'LonghaulDataset',
  ingestDate: 'LonghaulIngestDate',
  stage: 'LonghaulStage',
  rows: 'LonghaulRows',
} as const;

/** `temporal.api.enums.v1.IndexedValueType`: KEYWORD and INT. */
const [KEYWORD, INT] = [2, 3];

/** Name → type, in the form that `addSearchAttributes` needs. */
export const SEARCH_ATTRIBUTE_TYPES: Readonly<Record<string, number>> = {
  [SEARCH_ATTRIBUTES.dataset]: KEYWORD,
  [SEARCH_ATTRIBUTES.ingestDate]: KEYWORD,
  [SEARCH_ATTRIBUTES.stage]: KEYWORD,
  [SEARCH_ATTRIBUTES.rows]: INT,
};

export const STAGES = [
  'waiting',
  'probe',
  'land',
  'inspect',
  'convert',
  'verify',
  'done',
  'failed',
] as const;
export type SourceStage = (typeof STAGES)[number];

/** The answer to the query `progress`. It has no bytes: these are in the heartbeats of pending activities. */
export interface RunProgress {
  stage: 'open' | 'sources' | 'publish' | 'done' | 'failed';
  sources: SourceProgress[];
  /** Engine `emr` only. Absent until the run has a cluster. */
  emr?: EmrProgress;
  /** Absent until the day is published. */
  table?: IngestResult['table'];
}

export interface SourceProgress {
  id: string;
  stage: SourceStage;
  /** A source that has ended has either a result or an error. */
  result?: SourceResult;
  error?: RunError;
}

/** What an activity reports in its heartbeats. The CLI draws its bars from it. */
export interface TransferHeartbeat {
  /** Id of the source. Absent if the activity works on several. */
  source?: string;
  sources?: { done: number; total: number };
  stage: SourceStage;
  /** Bytes that this stage has processed. */
  bytes: number;
  /** Absent if the publisher sends no length. */
  totalBytes?: number;
  bytesPerSecond: number;
  records?: number;
  /** Number of records that the portal reports. */
  totalRecords?: number;
  /** Bytes of Parquet that the engine has written so far. */
  bytesWritten?: number;
  /** Text for the user if something other than bytes takes time. */
  note?: string;
  /** When any attempt of this activity last made progress; Unix time in ms. Absent before that. */
  progressedAtMs?: number;
  /** When an attempt of this activity first threw away all that it had read; Unix time in ms. */
  wastedAtMs?: number;
}

/** The heartbeat of an activity that waits for the run of a day on behalf of another workflow. */
export interface JoinHeartbeat {
  joined: { workflowId: string; runId: string };
}

/** A failure in the form that workflows pass to the CLI, which prints it in its JSON. */
export interface RunError {
  code: ErrorCode;
  message: string;
  hint: string;
  retryable: boolean;
  source?: string;
  /** What a program on another machine printed last. */
  log?: ErrorLog;
}

/** What `ingestDataset` returns. With `runId` and `durationMs` added, it is the CLI's JSON. */
export interface IngestResult {
  dataset: string;
  ingestDate: string;
  mode: RunMode;
  /** `landed`: mode `land` only. `on-hdfs`: the day is only on a cluster's HDFS, so no lake lists it. */
  status: 'published' | 'unchanged' | 'already-published' | 'landed' | 'on-hdfs';
  revision: number;
  sources: SourceResult[];
  ledger: Ledger & { balanced: boolean };
  /** Engine `emr` only: the last cluster, and the instance-hours of the run. */
  emr?: {
    clusterId: string;
    instanceHours: number;
    output: EmrOutput;
    /** See `EmrProgress`. */
    clusterLeft?: string;
  };
  /**
   * The dataset's Iceberg table after the publication, or why it does not have the new day yet. The next run of the
   * dataset then updates it. Absent if nothing was published.
   */
  table?: PublishedTable | { error: RunError };
}

/** The result of a source for the user: its entry in the manifest, with addresses instead of keys. */
export interface SourceResult
  extends Pick<SourceEntry, 'id' | 'url' | 'bytes' | 'checksum' | 'csv'>, Ledger {
  status: SourceEntry['status'] | 'landed';
  /** Path or URI of the byte-exact file. */
  raw: string;
  parquet: { path: string; rows: number; bytes: number }[];
}

/** What a probe finds out about a source before the landing. */
export interface ProbedSource {
  /** Present if the publisher still has the version that an earlier run landed or published. */
  result?: LandedSource;
  totalBytes?: number;
  /** Number of records of a portal's table. */
  totalRecords?: number;
}

export interface LandedSource extends SourceResult {
  /** Key in the raw zone of a source with the status `landed`. Absent if the source needs no conversion. */
  rawKey?: string;
}

/** The folder of the source's Parquet, with its final `/`; undefined if the source has none. */
export function parquetFolderOf({ parquet }: SourceResult): string | undefined {
  return parquet[0]?.path.replace(/[^/]*$/, '');
}

/** The input that every activity of a source gets. */
export interface SourceTask extends RunDay {
  source: SourceSpec;
  engine: Engine;
}

/** The revision of a day that a run makes. */
export interface RunDay {
  dataset: string;
  ingestDate: string;
  revision: number;
  /** Run id of the workflow `ingestDataset`. */
  runId: string;
}

/** The sources that one Spark job converts, by ids and keys. The run's staging has what else the job needs. */
export interface BatchInput extends RunDay {
  /** Default: Spark on the worker's machine. */
  engine?: 'spark' | 'emr-serverless';
  sources: BatchSource[];
}

export interface BatchSource {
  id: string;
  rawKey: string;
  /** Bytes that Spark reads for this source. */
  bytes: number;
}

export interface BatchResult {
  /** The errors of the sources without parts. The other sources have parts. */
  failed: RunError[];
}

/** The only argument of the workflow `convertOnEmr`: the staged sources that wait for a cluster. */
export interface EmrInput extends RunDay {
  plan: EmrPlan;
  heartbeatTimeoutMs: number;
  sources: EmrSource[];
  /** False if a source that is not optional has failed before, so that the day cannot be published. */
  isWhole: boolean;
}

export interface EmrSource {
  source: SourceSpec;
  rawKey: string;
}

export interface PreparedSource {
  task: SourceTask;
  rawKey: string;
  records: number;
  bytes: number;
}

/** What `convertOnEmr` returns. Sources that have not failed have parts, which the run verifies next. */
export interface EmrResult extends BatchResult {
  progress: EmrProgress;
}
