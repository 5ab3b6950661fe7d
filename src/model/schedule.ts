import type { DatasetSpec } from './dataset.ts';
import type { IngestInput } from './run.ts';

export const OVERLAPS = ['skip', 'buffer-one', 'buffer-all', 'allow-all'] as const;
/** What happens where a run is due and the schedule's last one is still under way. */
export type Overlap = (typeof OVERLAPS)[number];

/** When a dataset is due. */
export type Recurrence =
  | { kind: 'cron'; text: string; timeZone: string }
  /** From the Unix epoch on. */
  | { kind: 'every'; everyMs: number };

/** What datasets.yaml says of a dataset's schedule, checked and complete. */
export interface ScheduleSpec {
  recurrence: Recurrence;
  /** A start is put off by up to this long, so that not all begin at once. */
  jitterMs: number;
  overlap: Overlap;
  /** Runs that were due while the server was away start later, for this long. */
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

/** A schedule knows its last ten runs, not more. */
export const MAX_PAUSE_AFTER_FAILURES = 10;

const SCHEDULE_PREFIX = 'longhaul/';

export function scheduleIdOf(dataset: string): string {
  return `${SCHEDULE_PREFIX}${dataset}`;
}

/** Undefined where the id is not one of ours. */
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
 * The one argument of the workflow `ingestOnSchedule`, kept in the schedule itself: so `longhaul schedule apply` is
 * what carries a change of datasets.yaml.
 */
export interface ScheduledInput {
  /** The run that it starts; its day comes from the schedule's nominal time. */
  run: IngestInput & { spec: DatasetSpec };
  catchupMs: number;
  pauseAfterFailures: number;
  applied: AppliedSchedule;
}

/** How `apply` left the schedule: what differs from it was changed by hand. */
export interface AppliedSchedule {
  /** The hash of everything that `apply` sets. */
  hash: string;
  /** `paused` of datasets.yaml. */
  paused: boolean;
}
