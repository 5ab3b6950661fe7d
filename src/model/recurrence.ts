import type { CronFields } from './cron.ts';
import type { Recurrence } from './schedule.ts';

/** 29 February may be eight years away (1896 to 1904), a day of week in it longer; nobody waits for that. */
const MAX_DAYS_BACK = 366 * 9;
const MS_PER_DAY = 86_400_000;

/**
 * The last time at or before `now` that is due; undefined where there was none for years. A local time that a change
 * of the clocks leaves out is not due on that day; one that it repeats is due the first time. (Temporal starts both:
 * the day is the same, and the second run finds it published.)
 */
export function lastDue(recurrence: Recurrence, now: Date): Date | undefined {
  if (recurrence.kind === 'every') {
    const { everyMs } = recurrence;
    return new Date(Math.floor(now.getTime() / everyMs) * everyMs);
  }
  const { fields, timeZone } = recurrence;
  const clock = clockOf(timeZone);
  const today = localOf(clock, now);
  // Days are counted as UTC has them: without changes of the clocks.
  const start = Date.UTC(today.year, today.month - 1, today.day);
  for (let back = 0; back <= MAX_DAYS_BACK; back += 1) {
    const day = new Date(start - back * MS_PER_DAY);
    if (!isDue(fields, day)) continue;
    const found = lastOfDay(fields, day, clock, now);
    if (found) return found;
  }
  return undefined;
}

/** The first instant of a day in a zone; where the clocks skip midnight, that is later. @param date YYYY-MM-DD. */
export function startOfDay(date: string, timeZone: string): Date {
  const clock = clockOf(timeZone);
  const midnight = Date.parse(`${date}T00:00:00Z`);
  for (let local = midnight; local < midnight + MS_PER_DAY; local += MS_PER_MINUTE) {
    const instant = instantOf(local, clock);
    if (instant) return instant;
  }
  // A whole day was skipped, as Samoa did at the date line.
  return new Date(midnight - offsetAt(clock, midnight));
}

function isDue({ daysOfMonth, months, daysOfWeek }: CronFields, day: Date): boolean {
  return (
    months.includes(day.getUTCMonth() + 1) &&
    daysOfMonth.includes(day.getUTCDate()) &&
    daysOfWeek.includes(day.getUTCDay())
  );
}

function lastOfDay(
  { hours, minutes }: CronFields,
  day: Date,
  clock: Intl.DateTimeFormat,
  now: Date,
): Date | undefined {
  for (const hour of hours.toReversed()) {
    for (const minute of minutes.toReversed()) {
      const local = day.getTime() + (hour * 60 + minute) * MS_PER_MINUTE;
      const instant = instantOf(local, clock);
      if (instant && instant.getTime() <= now.getTime()) return instant;
    }
  }
  return undefined;
}

const MS_PER_MINUTE = 60_000;

/** @param local what the clocks show, as if it were UTC. */
function instantOf(local: number, clock: Intl.DateTimeFormat): Date | undefined {
  // The offset is that of one of the two days around, whichever gives this local time back.
  for (const near of [local - MS_PER_DAY, local + MS_PER_DAY]) {
    const instant = new Date(local - offsetAt(clock, near));
    if (instant.getTime() + offsetAt(clock, instant.getTime()) === local) return instant;
  }
  return undefined;
}

function offsetAt(clock: Intl.DateTimeFormat, instant: number): number {
  const { year, month, day, hour, minute, second } = localOf(clock, new Date(instant));
  const whole = Math.floor(instant / 1000) * 1000;
  return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
}

type LocalTime = Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second', number>;

function localOf(clock: Intl.DateTimeFormat, instant: Date): LocalTime {
  const parts = Object.fromEntries(
    clock.formatToParts(instant).map(({ type, value }) => [type, Number(value)]),
  );
  return parts as LocalTime;
}

function clockOf(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
}
