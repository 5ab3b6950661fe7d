import { Cron } from 'croner';
import { ingestDateAt } from '../model/dates.ts';
import type { Recurrence } from '../model/schedule.ts';

/**
 * Calculates the last due time at or before `now` as Temporal does, without calling it. Undefined if there is none. If
 * a change of the clocks skips a local time, it is not due on that day. If the change repeats it, it is due twice.
 */
export function lastDue(recurrence: Recurrence, now: Date): Date | undefined {
  if (recurrence.kind === 'every') {
    const { everyMs } = recurrence;
    return new Date(Math.floor(now.getTime() / everyMs) * everyMs);
  }
  const { text, timeZone } = recurrence;
  // If the text has a single time of day, croner runs a skipped time later and a repeated time once. A step prevents
  // both, even this one of the seconds from 0 to 0.
  const cron = new Cron(`0-0/1 ${text}`, { timezone: timeZone, mode: '6-part', ...DIALECT });
  // croner excludes the given time. With one millisecond more, it includes a run that is due now.
  return cron.previousRuns(1, new Date(now.getTime() + 1))[0];
}

/** As Temporal reads cron: `5/15` means `5-59/15`, and `1-31` does not limit the days. */
const DIALECT = { sloppyRanges: true, domAndDow: true };

const HOUR_MS = 3_600_000;
/** Clocks are at most 14 hours ahead of UTC and 12 behind. So one of the next two midnights starts the day. */
const BEFORE_ANY_MIDNIGHT_MS = 15 * HOUR_MS;

/** First instant of a day in a zone. If the clocks skip midnight, it is later. @param date YYYY-MM-DD. */
export function startOfDay(date: string, timeZone: string): Date {
  const midnight = Date.parse(`${date}T00:00:00Z`);
  const days = new Cron('0 0 * * *', { timezone: timeZone });
  const starts = days.nextRuns(2, new Date(midnight - BEFORE_ANY_MIDNIGHT_MS));
  // If a zone skips the whole day, as Samoa did in 2011, the result is the start of the next day.
  return starts.find((start) => ingestDateAt(start, timeZone) >= date) ?? new Date(midnight);
}
