import type { ScheduleDescription } from '@temporalio/client';
import { createHash } from 'node:crypto';
import { readCron } from '../../config/cron.ts';
import type { Recurrence, ScheduledInput } from '../../model/schedule.ts';

/**
 * Everything that `apply` sets of a schedule, a line of text each: the same for what is wanted and for what the server
 * describes, however the server writes it. What is not here (pauses, notes) is not the file's.
 */
export type Facts = Readonly<Record<string, string>>;

export interface Difference {
  fact: string;
  from: string;
  to: string;
}

export function hashOf(facts: Facts): string {
  const sorted = Object.entries(facts).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
}

export function differences(from: Facts, to: Facts): Difference[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return names.flatMap((fact) => {
    const [was, is] = [from[fact] ?? '', to[fact] ?? ''];
    return was === is ? [] : [{ fact, from: was, to: is }];
  });
}

/** A schedule as the server describes it. */
export function factsOf({ spec, policies, action, raw }: ScheduleDescription): Facts {
  const { intervals = [], startAt, endAt } = spec;
  const { structuredCalendar = [], excludeStructuredCalendar = [] } = raw.schedule?.spec ?? {};
  const calendars = (structuredCalendar ?? []).map(calendarText);
  const except = (excludeStructuredCalendar ?? []).map(calendarText);
  const when = [...calendars, ...intervals.map(intervalText)].toSorted();
  return {
    when: when.join('; ') || 'never',
    ...(except.length > 0 && { except: except.toSorted().join('; ') }),
    ...(startAt && { from: startAt.toISOString() }),
    ...(endAt && { until: endAt.toISOString() }),
    // An interval has no zone; a server may say UTC of it.
    ...(calendars.length > 0 && { 'time zone': spec.timezone || 'UTC' }),
    ...(policies.pauseOnFailure && { 'pauses at the first failure': 'yes' }),
    ...commonFacts(spec.jitter ?? 0, policies, action),
  };
}

/** What the file wants, in the same words. */
export function wantedFacts(
  recurrence: Recurrence,
  jitterMs: number,
  policies: Policies,
  action: Action,
): Facts {
  const when: Facts =
    recurrence.kind === 'every'
      ? { when: intervalText({ every: recurrence.everyMs }) }
      : { when: cronFact(recurrence.text), 'time zone': recurrence.timeZone };
  return { ...when, ...commonFacts(jitterMs, policies, action) };
}

type Policies = Pick<ScheduleDescription['policies'], 'overlap' | 'catchupWindow'>;
type Action = Pick<ScheduleDescription['action'], 'workflowType' | 'workflowId' | 'taskQueue'> & {
  args?: readonly unknown[];
};

function commonFacts(jitterMs: number, policies: Policies, action: Action): Facts {
  return {
    jitter: durationFact(jitterMs),
    overlap: String(policies.overlap).toLowerCase().replaceAll('_', '-'),
    'catch-up': durationFact(policies.catchupWindow),
    starts: `${action.workflowType} ${action.workflowId} on ${action.taskQueue}`,
    ...inputFacts(action.args?.[0]),
  };
}

/** The server keeps no cron text, but the values that it allows: so texts are equal that mean the same. */
function cronFact(text: string): string {
  const read = readCron(text);
  return 'fields' in read ? cronText(read.fields) : text;
}

type RawSpec = NonNullable<NonNullable<ScheduleDescription['raw']['schedule']>['spec']>;
type Calendar = NonNullable<RawSpec['structuredCalendar']>[number];

/** As cron writes it, with what cron has not: seconds before, years after. */
function calendarText(calendar: Calendar): string {
  const { second, minute, hour, dayOfMonth, month, dayOfWeek, year } = calendar;
  const fields = cronText([minute, hour, dayOfMonth, month, dayOfWeek].map(valuesOf));
  const seconds = runsOf(valuesOf(second));
  const years = runsOf(valuesOf(year));
  return `${seconds === '0' ? '' : `${seconds}s `}${fields}${years === '' ? '' : ` ${years}`}`;
}

/** How many values there are: of minute, hour, day of month, month, day of week. */
const ALL = [60, 24, 31, 12, 7];

function cronText(fields: readonly (readonly number[])[]): string {
  return fields
    .map((values, index) => (values.length === ALL[index] ? '*' : runsOf(values)))
    .join(' ');
}

function valuesOf(ranges: Calendar['minute']): number[] {
  const values = new Set<number>();
  for (const { start, end, step } of ranges ?? []) {
    const first = start ?? 0;
    // The server leaves out an end that is the start, and a step of 1.
    for (let value = first; value <= Math.max(first, end ?? 0); value += step || 1)
      values.add(value);
  }
  return [...values].toSorted((a, b) => a - b);
}

/** `1,2,3,5` → `1-3,5`. */
function runsOf(sorted: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const value of sorted) {
    const last = runs.at(-1);
    if (last && last[1] + 1 === value) last[1] = value;
    else runs.push([value, value]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

function intervalText({ every, offset }: { every: unknown; offset?: unknown }): string {
  const phase = Number(offset ?? 0);
  return `every ${durationFact(Number(every))}${phase === 0 ? '' : ` from ${durationFact(phase)}`}`;
}

const UNITS: [string, number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
];

/** As datasets.yaml writes it. */
function durationFact(ms: number): string {
  if (ms === 0) return '0';
  const [unit, size] = UNITS.find(([, each]) => ms % each === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}

/** A person may have put anything there. */
function inputFacts(input: unknown): Facts {
  const { run, catchupMs, pauseAfterFailures } = (input ?? {}) as Partial<ScheduledInput>;
  const { dataset, ...rest } = run ?? {};
  const { sources = [], ...ofDataset } = dataset ?? {};
  const facts: Record<string, string> = {
    'pause after failures': String(pauseAfterFailures),
    'catch-up of the run': durationFact(Number(catchupMs)),
  };
  for (const [key, value] of Object.entries({ ...ofDataset, ...rest })) facts[key] = plain(value);
  for (const { id, address, ...how } of sources) {
    facts[`source ${id}`] = `${address} ${plain(how)}`;
  }
  return facts;
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
