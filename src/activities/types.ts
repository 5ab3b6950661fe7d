import type { DatasetSpec } from '../model/dataset.ts';
import type { EmrOutput } from '../model/emr.ts';
import type {
  DayInput,
  IngestResult,
  RunError,
  RunPlan,
  SourceResult,
  SourceTask,
} from '../model/run.ts';

/** What passes between activities is small: keys, counts, checksums; never rows or credentials. */

/** The run's input as it was given: a placeholder of the day still stands in its addresses. */
export interface OpenInput extends DayInput {
  runId: string;
  /** When the workflow started, ISO 8601: whether its day was over then. */
  startedAt: string;
}

export interface OpenResult {
  /** With the addresses of the day. */
  plan: RunPlan;
  revision: number;
  /** Present where the day is published already (and not `again`): the run ends with it. */
  published?: IngestResult;
  /** Sources that an earlier run of this unpublished day finished (only with `retry`). */
  finished: SourceResult[];
  /** Engine `emr` only: where the worker's settings put what is converted. */
  emrOutput?: EmrOutput;
}

export interface ProbeInput extends SourceTask {
  again: boolean;
  /** See `IngestInput`. */
  followed?: boolean;
}

export interface ProbeResult {
  /** Present where the publisher has the version still that an earlier run landed, or published. */
  result?: LandedSource;
  totalBytes?: number;
}

export interface LandInput extends ProbeInput {
  /** It is converted next, and its Parquet needs room too. */
  thenConverted?: boolean;
}

export interface LandedSource extends SourceResult {
  /** Key in the raw zone of what is `landed`, and to be converted; absent of a source that is done. */
  rawKey?: string;
}

export interface InspectInput extends SourceTask {
  rawKey: string;
}

export interface InspectResult {
  columns: number;
  typedColumns: number;
  encoding: string;
}

export type ConvertInput = InspectInput;

export interface ConvertResult {
  /** Prefix in the converted zone where it says which parts the attempt has written. */
  stagedPrefix: string;
  parts: number;
  bytes: number;
}

export interface VerifyInput extends ConvertInput {
  stagedPrefix: string;
}

export interface PublishInput {
  dataset: DatasetSpec;
  ingestDate: string;
  revision: number;
  runId: string;
  accept: boolean;
  /** Ids of the optional sources that failed. */
  missing: string[];
  /** Ids whose entries are copied from the last snapshot. */
  unchanged: string[];
}

export interface CleanUpInput {
  dataset: DatasetSpec;
  ingestDate: string;
  revision: number;
  runId: string;
  /** A failed run keeps its partial landings for the retry; any other leaves none, a killed worker's neither. */
  discardPartials: boolean;
}

export interface CleanUpResult {
  /** The run that published the day's revision; undefined where none did. */
  publishedBy?: string;
}

export interface PauseInput {
  scheduleId: string;
  /** Of the run that has failed just now. */
  workflowId: string;
  pauseAfterFailures: number;
  catchupMs: number;
  error: RunError;
}

export interface PauseResult {
  /** In a row, this one included. */
  failures: number;
  paused: boolean;
}
