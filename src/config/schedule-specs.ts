import { SCHEDULE_DEFAULTS, type Recurrence, type ScheduleSpec } from '../model/schedule.ts';
import type { ScheduleSettings, ScheduleShape } from './schedule-shape.ts';

/**
 * The schedule of a dataset: its own keys, else those at the top of the file, else the defaults. Undefined where the
 * nearer of the two says `false`.
 */
export function scheduleOf(
  own: ScheduleShape | undefined,
  top: ScheduleShape | undefined,
  datasetTimeZone: string,
): ScheduleSpec | undefined {
  if (own === false || (own === undefined && top === false)) return undefined;
  const given = merged(top === false ? {} : (top ?? {}), own ?? {});
  return {
    recurrence: recurrenceOf(given, datasetTimeZone),
    jitterMs: given.jitter ?? SCHEDULE_DEFAULTS.jitterMs,
    overlap: given.overlap ?? SCHEDULE_DEFAULTS.overlap,
    catchupMs: given.catchup ?? SCHEDULE_DEFAULTS.catchupMs,
    paused: given.paused ?? SCHEDULE_DEFAULTS.paused,
    pauseAfterFailures: given.pause_after_failures ?? SCHEDULE_DEFAULTS.pauseAfterFailures,
  };
}

/** `cron` and `every` stand for each other: a dataset that sets one does not inherit the other from the top. */
function merged(top: ScheduleSettings, own: ScheduleSettings): ScheduleSettings {
  const { cron, every, ...rest } = top;
  const when = own.cron === undefined && own.every === undefined ? { cron, every } : {};
  return { ...rest, ...when, ...own };
}

function recurrenceOf({ cron, every, timezone }: ScheduleSettings, zone: string): Recurrence {
  if (every !== undefined) return { kind: 'every', everyMs: every };
  return { kind: 'cron', text: cron ?? SCHEDULE_DEFAULTS.cron, timeZone: timezone ?? zone };
}
