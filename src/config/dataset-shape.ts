import { z } from 'zod';
import { GEOMETRIES } from '../model/dataset.ts';
import { MAX_PAUSE_AFTER_FAILURES, OVERLAPS } from '../model/schedule.ts';
import { DATE_FORMATS, TIMESTAMP_FORMATS, type ColumnType } from '../model/schema.ts';
import { parseAge } from '../model/sweep.ts';
import { readCron } from './cron.ts';

/**
 * This file describes the form of datasets.yaml. Names, addresses and templates are checked later. `parseDatasets`
 * passes all scalars as text, so `2015` and `"2015"` are the same.
 */
const TYPE_WORDS = {
  bigint: 'BIGINT',
  double: 'DOUBLE',
  date: 'DATE',
  timestamp: 'TIMESTAMP',
  text: 'VARCHAR',
} as const satisfies Record<string, ColumnType>;

const text = z.string('must be text').min(1, 'must not be empty');
const flag = z
  .enum(['true', 'false'], 'must be true or false')
  .transform((word) => word === 'true');

const timeZone = text.refine(isTimeZone, 'must be a time zone such as America/Denver');

const TYPES_EXPECTED = `must be one of ${Object.keys(TYPE_WORDS).join(', ')}`;
const columnType = z
  .enum(Object.keys(TYPE_WORDS) as (keyof typeof TYPE_WORDS)[], TYPES_EXPECTED)
  .transform((word) => TYPE_WORDS[word]);

const typeWithFormat = z.strictObject({ type: columnType, format: text });
const declaredType = z.union(
  [
    columnType.transform((type) => ({ type })),
    typeWithFormat.superRefine(({ type, format }, context) => {
      const formats: readonly string[] =
        type === 'DATE' ? DATE_FORMATS : type === 'TIMESTAMP' ? TIMESTAMP_FORMATS : [];
      if (formats.includes(format)) return;
      const message =
        formats.length === 0
          ? 'only date and timestamp have a format'
          : `must be one of ${formats.join(', ')}`;
      context.addIssue({ code: 'custom', message, path: ['format'] });
    }),
  ],
  TYPES_EXPECTED,
);

const year = z.string().regex(/^\d{4}$/, 'must be a year of four digits');

const source = map({
  id: text.optional(),
  address: text,
  years: z
    .union([z.array(year).min(1), z.record(year, text)], 'must be a list of years, or a map')
    .optional(),
  headers: z
    .record(
      z.string().regex(/^[!#$%&'*+.^_`|~\w-]+$/),
      z.string().regex(/^[\t\u0020-\u007e]+$/, 'must be printable ASCII'),
      {
        error: ({ code }) =>
          code === 'invalid_key' ? 'is no name of an HTTP header' : 'must be a map of headers',
      },
    )
    .optional(),
  geometry: z.enum(GEOMETRIES, `must be one of ${GEOMETRIES.join(', ')}`).optional(),
  optional: flag.default(false),
  encoding: z.enum(['utf-8', 'windows-1252'], 'must be utf-8 or windows-1252').optional(),
  delimiter: z
    .string()
    // The character is printable ASCII or a tab. A quote or a line end would make the file unreadable.
    .regex(/^[\t\u0020-\u0021\u0023-\u007e]$/, 'must be one ASCII character, and no quote')
    .optional(),
  header: flag.optional(),
  aliases: z.record(z.string(), text).optional(),
  types: z.record(z.string(), declaredType).optional(),
});

const keep = map({
  raw: text
    // Five digits of days are more than a century.
    .regex(/^[1-9]\d{0,4}d$/, 'must be days: 30d')
    .transform((word) => Number(word.slice(0, -1)))
    .optional(),
  days: text
    .regex(/^[1-9]\d{0,4}$/, 'must be a whole number of days from 1')
    .transform(Number)
    .optional(),
});

const cron = text.superRefine((line, context) => {
  const read = readCron(line);
  if ('problem' in read) context.addIssue({ code: 'custom', message: read.problem });
});

function duration(minMs: number, what: string): z.ZodType<number, string> {
  return text.transform((word, context) => {
    const ms = parseAge(word);
    if (ms !== undefined && ms >= minMs) return ms;
    context.addIssue({ code: 'custom', message: `must be ${what}` });
    return z.NEVER;
  });
}

const FAILURES_EXPECTED = `must be a whole number from 1 to ${MAX_PAUSE_AFTER_FAILURES}`;
const MINUTE_MS = 60_000;
/** Temporal does not accept a shorter window. */
const MIN_CATCHUP_MS = MINUTE_MS;

const schedule = z
  .strictObject({
    cron: cron.optional(),
    every: duration(MINUTE_MS, 'minutes, hours or days: 90m, 6h, 1d').optional(),
    timezone: timeZone.optional(),
    jitter: duration(0, 'minutes, hours or days (5m, 1h), or 0').optional(),
    overlap: z.enum(OVERLAPS, `must be one of ${OVERLAPS.join(', ')}`).optional(),
    catchup: duration(MIN_CATCHUP_MS, 'minutes, hours or days: 30m, 24h, 7d').optional(),
    paused: flag.optional(),
    pause_after_failures: text
      .regex(/^\d{1,2}$/, FAILURES_EXPECTED)
      .transform(Number)
      .refine((count) => count >= 1 && count <= MAX_PAUSE_AFTER_FAILURES, FAILURES_EXPECTED)
      .optional(),
  })
  .superRefine((given, context) => {
    if (given.cron === undefined || given.every === undefined) return;
    const message = 'excludes "cron": set only one of them';
    context.addIssue({ code: 'custom', message, path: ['every'] });
  });

const scheduleShape = z.union(
  [
    z.literal('false').transform((): false => false),
    z.literal('true').transform((): ScheduleSettings => ({})),
    schedule,
  ],
  'must be a map, true or false',
);

const dataset = map({
  time_zone: timeZone.default('UTC'),
  schedule: scheduleShape.optional(),
  schema: z
    .enum(['evolve', 'freeze', 'report'], 'must be evolve, freeze or report')
    .default('evolve'),
  keep: keep.optional(),
  sources: z.array(source, 'must be a list of sources').min(1, 'must not be empty'),
});

export const DATASETS_SHAPE = map({
  schedule: scheduleShape.optional(),
  datasets: z.record(z.string(), dataset, 'must be a map from names to datasets'),
});

/** All keys of the file at any level, for proposals. */
export const DATASETS_KEYS = [
  DATASETS_SHAPE,
  dataset,
  keep,
  source,
  schedule,
  typeWithFormat,
].flatMap(({ shape }) => Object.keys(shape));

export type SourceShape = z.output<typeof source>;
export type ScheduleSettings = z.output<typeof schedule>;
export type ScheduleShape = ScheduleSettings | false;

function map<S extends z.core.$ZodShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  const error = ({ code }: { code?: string }): string | undefined =>
    code === 'invalid_type' ? 'must be a map' : undefined;
  return z.strictObject(shape, { error });
}

export function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
