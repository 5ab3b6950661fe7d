import { z } from 'zod';
import { MAX_PAUSE_AFTER_FAILURES, OVERLAPS } from '../model/schedule.ts';
import { parseAge } from '../model/sweep.ts';
import { readCron } from './cron.ts';

/** The form of `schedule` in datasets.yaml, at the top or of a dataset: `false`, `true`, or what differs from the default. */
const text = z.string('must be text');

const cron = text.superRefine((line, context) => {
  const read = readCron(line);
  if ('problem' in read) context.addIssue({ code: 'custom', message: read.problem });
});

function duration(allowZero: boolean, min: number, what: string): z.ZodType<number, string> {
  return text.transform((word, context) => {
    const ms = parseAge(word);
    if (ms !== undefined && (ms >= min || (allowZero && ms === 0))) return ms;
    context.addIssue({ code: 'custom', message: `must be ${what}` });
    return z.NEVER;
  });
}

const MINUTE_MS = 60_000;
/** Temporal takes no shorter window. */
const MIN_CATCHUP_MS = MINUTE_MS;

const settings = z
  .strictObject({
    cron: cron.optional(),
    every: duration(false, MINUTE_MS, 'minutes, hours or days: 90m, 6h, 1d').optional(),
    timezone: text.refine(isTimeZone, 'must be a time zone such as America/Denver').optional(),
    jitter: duration(true, 0, 'minutes, hours or days (5m, 1h), or 0').optional(),
    overlap: z.enum(OVERLAPS, { error: `must be one of ${OVERLAPS.join(', ')}` }).optional(),
    catchup: duration(false, MIN_CATCHUP_MS, 'minutes, hours or days: 30m, 24h, 7d').optional(),
    paused: z
      .enum(['true', 'false'], { error: 'must be true or false' })
      .transform((word) => word === 'true')
      .optional(),
    pause_after_failures: text
      .regex(/^\d{1,2}$/, wholeExpected())
      .transform(Number)
      .refine((count) => count >= 1 && count <= MAX_PAUSE_AFTER_FAILURES, wholeExpected())
      .optional(),
  })
  .superRefine((given, context) => {
    if (given.cron === undefined || given.every === undefined) return;
    const message = 'stands beside "cron": one of them says when';
    context.addIssue({ code: 'custom', message, path: ['every'] });
  });

/** `false` or `true`, else the settings: chosen by form, so that messages are about the form that the user wrote. */
export const SCHEDULE_SHAPE = z.unknown().transform((value, context): ScheduleShape => {
  if (value === 'false' || value === 'true') return value === 'true' ? {} : false;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    context.addIssue({ code: 'custom', message: 'must be a map, true or false' });
    return z.NEVER;
  }
  const parsed = settings.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) context.addIssue({ ...issue });
  return z.NEVER;
});

export type ScheduleSettings = z.output<typeof settings>;
export type ScheduleShape = ScheduleSettings | false;

export const SCHEDULE_KEYS =
  'schedule cron every timezone jitter overlap catchup paused pause_after_failures'.split(' ');

export function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

function wholeExpected(): string {
  return `must be a whole number from 1 to ${MAX_PAUSE_AFTER_FAILURES}`;
}
