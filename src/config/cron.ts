import { CronPattern } from 'croner';

/** The values that each field of a cron line allows, sorted, in the order of the fields. */
export type CronFields = readonly (readonly number[])[];

/**
 * Reads the five fields of cron (`minute hour day-of-month month day-of-week`) as croner reads them.
 * @returns the problem if the text is not a cron line, is never due, or is read differently by other programs. The
 *   server uses Temporal's reading of the text, and `longhaul status` uses croner's.
 */
export function readCron(text: string): { fields: CronFields } | { problem: string } {
  // Programs do not agree whether other characters are spaces.
  const parts = text.match(/[^ \t\r\n]+/g) ?? [];
  if (parts.length !== FIELDS.length) {
    return { problem: `has ${parts.length} fields instead of five: ${FIELD_NAMES}` };
  }
  const fields: number[][] = [];
  for (const [index, { name, min, max }] of FIELDS.entries()) {
    const part = parts[index] ?? '';
    const values = ITEMS.test(part) ? valuesOf(part, index) : undefined;
    if (!values) {
      const problem = `has ${JSON.stringify(part)} for the ${name}, which goes from ${min} to ${max}`;
      return { problem };
    }
    fields.push(values);
  }
  const problem = problemOfDays(fields, parts[DAY_OF_WEEK] ?? '');
  return problem === undefined ? { fields } : { problem };
}

/** `key` is croner's name of the field's array, which begins with `min`. */
const FIELDS = [
  { name: 'minute', min: 0, max: 59, key: 'minute' },
  { name: 'hour', min: 0, max: 23, key: 'hour' },
  { name: 'day of month', min: 1, max: 31, key: 'day' },
  { name: 'month', min: 1, max: 12, key: 'month' },
  // 7 also means Sunday.
  { name: 'day of week', min: 0, max: 7, key: 'dayOfWeek' },
] as const;
const FIELD_NAMES = FIELDS.map(({ name }) => name).join(', ');
const DAY_OF_WEEK = 4;

/**
 * `*`, `5`, `1-5`, `mon-fri`, each also with `/step`. Croner also reads `L`, `15W`, `fri#2` and `?`, Temporal does not.
 */
const ITEM = String.raw`(\*|(\d{1,2}|[a-z]{3})(-(\d{1,2}|[a-z]{3}))?)(\/\d{1,2})?`;
const ITEMS = new RegExp(`^${ITEM}(,${ITEM})*$`, 'i');
/** Matches the numbers that are not a step. */
const BOUNDS = /(?<![/\d])\d+/g;

function valuesOf(part: string, index: number): number[] | undefined {
  const { key = 'minute', min = 0, max = 0 } = FIELDS[index] ?? {};
  // Croner does not check the end of a range with a step.
  const bounds = part.match(BOUNDS) ?? [];
  if (bounds.some((bound) => Number(bound) < min || Number(bound) > max)) return undefined;
  const line = FIELDS.map((_, at) => (at === index ? part : '*')).join(' ');
  try {
    // With sloppy ranges, `5/15` means `5-59/15`.
    const pattern = new CronPattern(line, undefined, { mode: '5-part', sloppyRanges: true });
    const values = pattern[key].flatMap((is, at) => (is ? [at + min] : []));
    return values.length > 0 ? values : undefined;
  } catch {
    return undefined;
  }
}

/** The greatest lengths of the months. February has 29 days in some years. */
const MONTH_LENGTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function problemOfDays(fields: CronFields, dayOfWeek: string): string | undefined {
  const [, , daysOfMonth = [], months = [], daysOfWeek = []] = fields;
  const firstDay = daysOfMonth[0] ?? 0;
  if (!months.some((month) => firstDay <= (MONTH_LENGTHS[month - 1] ?? 0))) {
    return `is never due: no such month has a day ${firstDay}`;
  }
  // cron runs if either day matches, but other programs run only if both match. So a line with both is refused.
  if (daysOfMonth.length < 31 && daysOfWeek.length < 7) {
    return 'limits the day of month and the day of week: one of them must be *';
  }
  // `mon-sun` is an error for Temporal and a week for croner. `mon-7` and `1-7` are a week for croner and end at 6 for
  // Temporal. `5/1` ends at 7, which is Sunday, or at 6.
  if (/-sun|[a-z]-0?7|(^|,)(\w+\/|0?1-0?7(\/0?1)?(,|$))/i.test(dayOfWeek)) {
    return `has ${JSON.stringify(dayOfWeek)} for the day of week, which programs read differently: list the days`;
  }
  return undefined;
}
