import type { DatasetSpec } from './dataset.ts';
import type { IngestInput } from './run.ts';

export const OVERLAPS = ['skip', 'buffer-one', 'buffer-all', 'allow-all'] as const;
/** What Temporal does if a run is due while the schedule's last one is under way. */
export type Overlap = (typeof OVERLAPS)[number];

/** When a dataset is due. */
export type Recurrence =
  | { kind: 'cron'; text: string; timeZone: string }
  /** Counted from the Unix epoch. */
  | { kind: 'every'; everyMs: number };

/** The checked and complete schedule of a dataset in datasets.yaml. */
export interface ScheduleSpec {
  recurrence: Recurrence;
  /** Temporal delays each start by up to this long, so that the runs do not all start at once. */
  jitterMs: number;
  overlap: Overlap;
  /** If the server was away when a run was due, Temporal still starts the run up to this much later. */
  catchupMs: number;
  paused: boolean;
  /** After this many failed runs in a row the schedule pauses itself. */
  pauseAfterFailures: number;
}

export const SCHEDULE_DEFAULTS = {
  cron: '0 6 * * *',
  jitterMs: 5 * 60_000,
  overlap: 'skip',
  catchupMs: 24 * 3_600_000,
  paused: false,
  pauseAfterFailures: 3,
} as const;

/** Temporal lists only the last ten runs of a schedule. */
export const MAX_PAUSE_AFTER_FAILURES = 10;

const SCHEDULE_PREFIX = 'longhaul/';

export function scheduleIdOf(dataset: string): string {
  return `${SCHEDULE_PREFIX}${dataset}`;
}

/** @returns undefined if the id does not have Longhaul's form. */
export function datasetOfSchedule(scheduleId: string): string | undefined {
  return scheduleId.startsWith(SCHEDULE_PREFIX)
    ? scheduleId.slice(SCHEDULE_PREFIX.length)
    : undefined;
}

/** The server appends the nominal time: `scheduled/denver-311-2026-11-25T13:00:00Z`. */
export function scheduledWorkflowId(dataset: string): string {
  return `scheduled/${dataset}`;
}

/**
 * The only argument of the workflow `ingestOnSchedule`. The schedule itself stores it, so a change of datasets.yaml has
 * no effect until `longhaul schedule apply`.
 */
export interface ScheduledInput {
  /** The run that the workflow starts. Its day comes from the schedule's nominal time. */
  run: IngestInput & { spec: DatasetSpec };
  catchupMs: number;
  pauseAfterFailures: number;
  applied: AppliedSchedule;
}

/** The state in which `apply` left the schedule. If the schedule differs from it, a user changed the schedule. */
export interface AppliedSchedule {
  /** The hash of everything that `apply` sets. */
  hash: string;
  /** `paused` of datasets.yaml. */
  paused: boolean;
}
