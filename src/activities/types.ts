import type { SourceDay } from '../landing/land-source.ts';
import type { DayInput, IngestResult, RunError, RunPlan, SourceResult } from '../model/run.ts';

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
}

export interface ProbeInput extends SourceDay {
  /** See `IngestInput`. */
  followed?: boolean;
}

export interface LandInput extends ProbeInput {
  /** It is converted next, and its Parquet needs room too. */
  thenConverted?: boolean;
}

export interface PauseInput {
  scheduleId: string;
  /** The run that has failed just now. */
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
