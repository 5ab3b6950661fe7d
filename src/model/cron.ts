/** When a cron line is due: every field as the sorted values that it allows. Seconds are always 0. */
export interface CronFields {
  minutes: number[];
  hours: number[];
  daysOfMonth: number[];
  /** 1 is January. */
  months: number[];
  /** 0 is Sunday. */
  daysOfWeek: number[];
}

/**
 * The five fields of cron (`minute hour day-of-month month day-of-week`): numbers, names, `*`, lists, ranges, steps.
 * @returns what is wrong where it is none, or never due, or read differently by different programs.
 */
export function parseCron(text: string): { fields: CronFields } | { problem: string } {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== FIELDS.length) {
    return { problem: `has ${parts.length} fields instead of five: ${FIELD_NAMES}` };
  }
  const values: number[][] = [];
  for (const [index, field] of FIELDS.entries()) {
    const found = parseField(parts[index] ?? '', field);
    if ('problem' in found) return found;
    values.push(found.values);
  }
  const [minutes = [], hours = [], daysOfMonth = [], months = [], daysOfWeek = []] = values;
  const fields = { minutes, hours, daysOfMonth, months, daysOfWeek };
  const problem = problemOfDays(fields);
  return problem === undefined ? { fields } : { problem };
}

export const MONTH_NAMES = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
export const DAY_NAMES = 'sun mon tue wed thu fri sat'.split(' ');

interface Field {
  name: string;
  min: number;
  max: number;
  names?: readonly string[];
}

const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, names: MONTH_NAMES },
  // 7 is Sunday too.
  { name: 'day of week', min: 0, max: 7, names: DAY_NAMES },
];
const FIELD_NAMES = FIELDS.map(({ name }) => name).join(', ');
const DAYS_OF_WEEK = 7;

function parseField(text: string, field: Field): { values: number[] } | { problem: string } {
  const values = new Set<number>();
  for (const item of text.toLowerCase().split(',')) {
    const found = parseItem(item, field);
    if (found === undefined) {
      const { name, min, max } = field;
      return {
        problem: `has ${JSON.stringify(text)} for the ${name}, which goes from ${min} to ${max}`,
      };
    }
    for (const value of found) values.add(isDayOfWeek(field) ? value % DAYS_OF_WEEK : value);
  }
  return { values: [...values].toSorted((a, b) => a - b) };
}

/** `*`, `5`, `1-5`, `mon-fri`, each also with `/step`. */
function parseItem(item: string, field: Field): number[] | undefined {
  const [, range = '', step] = /^([\w*-]+)(?:\/(\d{1,2}))?$/.exec(item) ?? [];
  const [low, high] = range === '*' ? [field.min, lastOf(field)] : boundsOf(range, field, step);
  const by = step === undefined ? 1 : Number(step);
  if (low === undefined || high === undefined || low > high || by === 0) return undefined;
  const values: number[] = [];
  for (let value = low; value <= high; value += by) values.push(value);
  return values;
}

function boundsOf(
  range: string,
  field: Field,
  step: string | undefined,
): [number | undefined, number | undefined] {
  const [from = '', to, ...rest] = range.split('-');
  if (rest.length > 0) return [undefined, undefined];
  const low = valueOf(from, field);
  // `5/15` is `5-59/15`.
  if (to === undefined) return [low, step === undefined ? low : lastOf(field)];
  return [low, valueOf(to, field)];
}

function valueOf(text: string, { min, max, names }: Field): number | undefined {
  const named = names?.indexOf(text) ?? -1;
  if (named !== -1) return named + min;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : undefined;
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

function lastOf(field: Field): number {
  return isDayOfWeek(field) ? DAYS_OF_WEEK - 1 : field.max;
}

function isDayOfWeek({ names }: Field): boolean {
  return names === DAY_NAMES;
}

/** February has 29 in some year. */
const MONTH_LENGTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const ALL_DAYS_OF_MONTH = 31;

function problemOfDays({ daysOfMonth, months, daysOfWeek }: CronFields): string | undefined {
  const firstDay = daysOfMonth[0] ?? 0;
  if (!months.some((month) => firstDay <= (MONTH_LENGTHS[month - 1] ?? 0))) {
    return `is never due: no such month has a day ${firstDay}`;
  }
  // cron takes either, others both: nobody should have to know which.
  if (daysOfMonth.length < ALL_DAYS_OF_MONTH && daysOfWeek.length < DAYS_OF_WEEK) {
    return 'limits the day of month and the day of week: one of them must be *';
  }
  return undefined;
}
