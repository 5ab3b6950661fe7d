import { Cron } from 'croner';
import { ingestDateAt } from '../model/dates.ts';
import type { Recurrence } from '../model/schedule.ts';

/**
 * The last time at or before `now` that is due, as the server reckons it, and without asking it; undefined where there
 * was none. A local time that a change of the clocks leaves out is not due on that day; one that it repeats is due twice.
 */
export function lastDue(recurrence: Recurrence, now: Date): Date | undefined {
  if (recurrence.kind === 'every') {
    const { everyMs } = recurrence;
    return new Date(Math.floor(now.getTime() / everyMs) * everyMs);
  }
  const { text, timeZone } = recurrence;
  // croner runs a single time of day that the clocks leave out later, and one that they repeat once; unless a step is
  // there, be it of the seconds from 0 to 0.
  const cron = new Cron(`0-0/1 ${text}`, { timezone: timeZone, mode: '6-part', ...DIALECT });
  // What is due now is before the next millisecond.
  return cron.previousRuns(1, new Date(now.getTime() + 1))[0];
}

/** `5/15` is `5-59/15`, and `1-31` limits nothing. */
const DIALECT = { sloppyRanges: true, domAndDow: true };

const HOUR_MS = 3_600_000;
/** The easternmost clocks are 14 hours ahead of UTC, the westernmost 12 hours behind: of two midnights one is the day's. */
const BEFORE_ANY_MIDNIGHT_MS = 15 * HOUR_MS;

/** The first instant of a day in a zone; where the clocks skip midnight, that is later. @param date YYYY-MM-DD. */
export function startOfDay(date: string, timeZone: string): Date {
  const midnight = Date.parse(`${date}T00:00:00Z`);
  const days = new Cron('0 0 * * *', { timezone: timeZone });
  const starts = days.nextRuns(2, new Date(midnight - BEFORE_ANY_MIDNIGHT_MS));
  // A whole day may be skipped, as Samoa did at the date line: then it is the start of the next.
  return starts.find((start) => ingestDateAt(start, timeZone) >= date) ?? new Date(midnight);
}
