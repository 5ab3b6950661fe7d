import type { DatasetSpec } from './dataset.ts';
import { undatedSources } from './dated-address.ts';
import { ingestDateAt } from './dates.ts';
import { LonghaulError } from './errors.ts';
import type { RunMode } from './run.ts';

/**
 * A run that starts so long after its day, or after its nominal time and the catch-up, was not meant for now: until
 * then it is jitter, a busy server, or a command that was given just before midnight.
 */
const TOO_OLD_SLACK_MS = 3_600_000;
/** The clocks of a command, of Temporal and of a worker differ by no more. */
const CLOCK_SKEW_MS = 5 * 60_000;

/** A scheduled run that is too old to be taken from a source that has today's version only. */
export function isTooOld(nominal: Date, startedAt: Date, catchupMs: number): boolean {
  return startedAt.getTime() - nominal.getTime() > catchupMs + TOO_OLD_SLACK_MS;
}

/** Whether the day was over when the run was started. */
export function isPastDay(
  { timeZone }: Pick<DatasetSpec, 'timeZone'>,
  ingestDate: string,
  startedAt: Date,
): boolean {
  return ingestDate < ingestDateAt(new Date(startedAt.getTime() - TOO_OLD_SLACK_MS), timeZone);
}

/** @throws LonghaulError BACKFILL_REFUSED where the run would store what there is today under a past day, unasked. */
export function assertVersionOfDay(
  run: { dataset: DatasetSpec; ingestDate: string; mode: RunMode; asIf?: boolean },
  startedAt: Date,
): void {
  const { dataset, ingestDate, mode, asIf } = run;
  // A conversion takes the files that were landed on that day, and asks no publisher.
  if (asIf || mode === 'convert' || !isPastDay(dataset, ingestDate, startedAt)) return;
  assertHasPastDays(dataset, ingestDate);
}

/** @throws LonghaulError DATE_IN_FUTURE for a day that has not begun in the dataset's time zone. */
export function assertDayHasCome(
  { timeZone }: Pick<DatasetSpec, 'timeZone'>,
  ingestDate: string,
  now: Date,
): void {
  if (ingestDate <= ingestDateAt(new Date(now.getTime() + CLOCK_SKEW_MS), timeZone)) return;
  const today = ingestDateAt(now, timeZone);
  throw new LonghaulError(
    'DATE_IN_FUTURE',
    `${ingestDate} is still to come: in ${timeZone} it is ${today}.`,
  );
}

/** @throws LonghaulError BACKFILL_REFUSED unless every source has an address for each day. */
export function assertHasPastDays(dataset: DatasetSpec, ingestDate: string): void {
  const undated = undatedSources(dataset);
  if (undated.length === 0) return;
  const which =
    undated.length === 1 ? `source ${undated[0]} has` : `sources ${undated.join(', ')} have`;
  throw new LonghaulError(
    'BACKFILL_REFUSED',
    `Of ${dataset.name}, the ${which} today's version only: it would be stored as what was there on ${ingestDate}.`,
  );
}
