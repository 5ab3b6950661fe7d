import type { DatasetSpec, Engine, SourceSpec } from './dataset.ts';
import type { EmrOutput, EmrPlan, EmrProgress } from './emr.ts';
import type { ErrorCode, ErrorLog } from './errors.ts';
import type { Ledger } from './ledger.ts';
import type { SourceEntry } from './manifest.ts';
import type { PublishedTable } from './table.ts';

/** `land` and `convert` are the two halves of `ingest`; `land` publishes nothing. */
export type RunMode = 'ingest' | 'land' | 'convert';

/**
 * The one argument of the workflow `ingestDataset`, from every starter: small, no credentials, readable in the Web UI. A
 * name is enough: the workflow's id says the day, the worker's datasets.yaml and settings the rest.
 */
export interface IngestInput {
  /** A name of datasets.yaml. */
  dataset: string;
  /** Default: that of the workflow's id. */
  ingestDate?: string;
  /** Default: `ingest`. */
  mode?: RunMode;
  engine?: Engine;
  /** Publish a new revision beside the one that is there. */
  again?: boolean;
  /** Publish although the volume guard holds. */
  accept?: boolean;
  /** What the sources have now is stored as what a past day had, also where they have no address for each day. */
  asIf?: boolean;
  /** Sources that an earlier run of this day finished are taken as they are, without asking the publisher. */
  retry?: boolean;
  /** A person waits for it at a terminal: a host name that DNS does not know ends it after 30 s. */
  followed?: boolean;
  /** A past day that is made up for: it has slots of its own, so that it does not delay today's. */
  backfill?: boolean;
  /** What the datasets.yaml of the command or the schedule says of the dataset, where that counts. */
  spec?: DatasetSpec;
  /** How many sources are in work at once. */
  sourceConcurrency?: number;
  /** After this long without a heartbeat an attempt is given up and the next one starts. */
  heartbeatTimeoutMs?: number;
}

/** The input of the day's own run. */
export type DayInput = IngestInput & { ingestDate: string };

/** What the input leaves open, as a worker has filled it in. */
export interface RunPlan extends Required<
  Pick<IngestInput, 'mode' | 'engine' | 'spec' | 'sourceConcurrency' | 'heartbeatTimeoutMs'>
> {
  /** Engine `spark` only: bytes of copies for Spark that the run has on the disk at once. */
  stageBytes?: number;
  /** Engine `emr` only. */
  emr?: EmrPlan;
  /** Whether the namespace knows the search attributes: an unknown one would fail the workflow task for ever. */
  hasSearchAttributes: boolean;
}

/** One run for one dataset and day. */
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
  /** What the two above are to today's runs, to those of backfilled days. */
  backfill: string;
}

/** The queues of one lake, so that no other lake's worker takes its work. */
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

/** As `addSearchAttributes` takes them: name → type. */
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

/** The answer to the query `progress`. Bytes come from the pending activities' heartbeats instead. */
export interface RunProgress {
  stage: 'open' | 'sources' | 'publish' | 'done' | 'failed';
  sources: SourceProgress[];
  /** Engine `emr` only, once there is a cluster. */
  emr?: EmrProgress;
  /** Once the day is published. */
  table?: IngestResult['table'];
}

export interface SourceProgress {
  id: string;
  stage: SourceStage;
  /** What became of it, at its end: one of these. */
  result?: SourceResult;
  error?: RunError;
}

/** What an activity reports in its heartbeats; the CLI draws its bars from it. */
export interface TransferHeartbeat {
  /** Absent where it is of several. */
  source?: string;
  sources?: { done: number; total: number };
  stage: SourceStage;
  /** Bytes done of this stage. */
  bytes: number;
  /** Unknown where the publisher sends no length. */
  totalBytes?: number;
  bytesPerSecond: number;
  records?: number;
  /** What a portal counts. */
  totalRecords?: number;
  /** Bytes of Parquet, so far. */
  bytesWritten?: number;
  /** What takes time where no bytes are done, for people. */
  note?: string;
  /** When this activity, in whichever attempt, last got further; undefined as long as it has not. Unix, ms. */
  progressedAtMs?: number;
  /** When an attempt of this activity first threw away all that it had read. Unix, ms. */
  wastedAtMs?: number;
}

/** What an activity reports that waits for the run of a day on behalf of another workflow. */
export interface JoinHeartbeat {
  joined: { workflowId: string; runId: string };
}

/** A failure as it crosses from workflow to CLI and JSON. */
export interface RunError {
  code: ErrorCode;
  message: string;
  hint: string;
  retryable: boolean;
  source?: string;
  /** What a program on another machine printed last. */
  log?: ErrorLog;
}

/** What `ingestDataset` returns; with `runId` and `durationMs` it is the CLI's JSON. */
export interface IngestResult {
  dataset: string;
  ingestDate: string;
  mode: RunMode;
  /** `landed` only for mode `land`; `on-hdfs` for what no lake lists: it lies on a cluster's HDFS only. */
  status: 'published' | 'unchanged' | 'already-published' | 'landed' | 'on-hdfs';
  revision: number;
  sources: SourceResult[];
  ledger: Ledger & { balanced: boolean };
  /** Engine `emr` only: the cluster that was used last, and what of it was paid for. */
  emr?: {
    clusterId: string;
    instanceHours: number;
    output: EmrOutput;
    /** See `EmrProgress`. */
    clusterLeft?: string;
  };
  /**
   * The dataset's Iceberg table after the publication; or why it is behind what is published: the next run of the dataset
   * makes up for it. Absent where nothing was published.
   */
  table?: PublishedTable | { error: RunError };
}

/** What became of a source, for people: its entry of the manifest with addresses in place of keys. */
export interface SourceResult
  extends Pick<SourceEntry, 'id' | 'url' | 'bytes' | 'checksum' | 'csv'>, Ledger {
  status: SourceEntry['status'] | 'landed';
  /** Path or URI of the byte-exact file. */
  raw: string;
  parquet: { path: string; rows: number; bytes: number }[];
}

/** What is known of a source before it is landed. */
export interface ProbedSource {
  /** Where the publisher has the version still that an earlier run landed, or published. */
  result?: LandedSource;
  totalBytes?: number;
  /** Of a portal's table. */
  totalRecords?: number;
}

export interface LandedSource extends SourceResult {
  /** Key in the raw zone of what is `landed`, and to be converted; absent of a source that is done. */
  rawKey?: string;
}

/** The folder of the source's Parquet, with its final `/`; undefined where the source has none. */
export function parquetFolderOf({ parquet }: SourceResult): string | undefined {
  return parquet[0]?.path.replace(/[^/]*$/, '');
}

/** A source in work: what every activity of its sequence gets. */
export interface SourceTask extends RunDay {
  source: SourceSpec;
  engine: Engine;
}

/** The revision of a day that a run makes. */
export interface RunDay {
  dataset: string;
  ingestDate: string;
  revision: number;
  /** Of the workflow `ingestDataset`. */
  runId: string;
}

/** What one job of Spark is to convert, by ids and keys: what else it needs lies in the run's staging. */
export interface BatchInput extends RunDay {
  /** Default: Spark on the worker's machine. */
  engine?: 'spark' | 'emr-serverless';
  sources: BatchSource[];
}

export interface BatchSource {
  id: string;
  rawKey: string;
  /** Of what Spark reads. */
  bytes: number;
}

export interface BatchResult {
  /** Of the sources without parts; the others have theirs. */
  failed: RunError[];
}

/** The one argument of the workflow `convertOnEmr`: the sources that are staged, and wait for a cluster. */
export interface EmrInput extends RunDay {
  plan: EmrPlan;
  heartbeatTimeoutMs: number;
  sources: EmrSource[];
  /** No source has failed before them without which the day is not published. */
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

/** What `convertOnEmr` returns: some sources may have failed; the others have parts, which are to be verified. */
export interface EmrResult extends BatchResult {
  progress: EmrProgress;
}
