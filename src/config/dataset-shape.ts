import { z } from 'zod';
import { GEOMETRIES } from '../model/dataset.ts';
import { DATE_FORMATS, TIMESTAMP_FORMATS, type ColumnType } from '../model/schema.ts';
import { isTimeZone, SCHEDULE_SHAPE } from './schedule-shape.ts';

/**
 * The form of datasets.yaml, before names, addresses and templates are looked at. Every scalar arrives as its
 * text (see `parseDatasets`), so `2015` and `"2015"` are the same.
 */
const TYPE_WORDS = {
  bigint: 'BIGINT',
  double: 'DOUBLE',
  date: 'DATE',
  timestamp: 'TIMESTAMP',
  text: 'VARCHAR',
} as const satisfies Record<string, ColumnType>;

const text = z.string('must be text').min(1, 'must not be empty');
const columnType = z
  .enum(Object.keys(TYPE_WORDS) as (keyof typeof TYPE_WORDS)[], {
    error: `must be one of ${Object.keys(TYPE_WORDS).join(', ')}`,
  })
  .transform((word) => TYPE_WORDS[word]);

const declaredType = z.union([
  columnType.transform((type) => ({ type })),
  z.strictObject({ type: columnType, format: text }).superRefine(({ type, format }, context) => {
    const formats: readonly string[] =
      type === 'DATE' ? DATE_FORMATS : type === 'TIMESTAMP' ? TIMESTAMP_FORMATS : [];
    if (formats.includes(format)) return;
    const message =
      formats.length === 0
        ? 'only date and timestamp have a format'
        : `must be one of ${formats.join(', ')}`;
    context.addIssue({ code: 'custom', message, path: ['format'] });
  }),
]);

const flag = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((word) => word === 'true');

const year = z.string().regex(/^\d{4}$/, 'must be a year of four digits');

const source = z.strictObject(
  {
    id: text.optional(),
    address: text,
    years: z.union([z.array(year).min(1), z.record(year, text)]).optional(),
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
    geometry: z.enum(GEOMETRIES, { error: `must be one of ${GEOMETRIES.join(', ')}` }).optional(),
    optional: flag.default(false),
    encoding: z
      .enum(['utf-8', 'windows-1252'], { error: 'must be utf-8 or windows-1252' })
      .optional(),
    delimiter: z
      .string()
      // Printable ASCII or a tab; a quote or a line end would make the file unreadable.
      .regex(/^[\t\u0020-\u0021\u0023-\u007e]$/, 'must be one ASCII character, and no quote')
      .optional(),
    header: flag.optional(),
    aliases: z.record(z.string(), text).optional(),
    types: z.record(z.string(), declaredType).optional(),
  },
  { error: objectError },
);

const keep = z.strictObject(
  {
    raw: text
      // Five digits are more than a century.
      .regex(/^[1-9]\d{0,4}d$/, 'must be days: 30d')
      .transform((word) => Number(word.slice(0, -1)))
      .optional(),
    days: text
      .regex(/^[1-9]\d{0,4}$/, 'must be a whole number of days from 1')
      .transform(Number)
      .optional(),
  },
  { error: objectError },
);

export const DATASETS_SHAPE = z.strictObject(
  {
    schedule: SCHEDULE_SHAPE.optional(),
    datasets: z.record(
      z.string(),
      z.strictObject(
        {
          time_zone: text
            .refine(isTimeZone, 'must be a time zone such as America/Denver')
            .optional(),
          schedule: SCHEDULE_SHAPE.optional(),
          schema: z
            .enum(['evolve', 'freeze', 'report'], { error: 'must be evolve, freeze or report' })
            .default('evolve'),
          keep: keep.optional(),
          sources: z.array(source, 'must be a list of sources').min(1, 'must not be empty'),
        },
        { error: objectError },
      ),
      { error: 'must be a map from names to datasets' },
    ),
  },
  { error: objectError },
);

export type KeepShape = z.output<typeof keep>;
export type SourceShape = z.output<typeof source>;

function objectError(issue: { code?: string }): string | undefined {
  return issue.code === 'invalid_type' ? 'must be a map' : undefined;
}
