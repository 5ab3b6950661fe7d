import type { ScheduleDescription } from '@temporalio/client';
import { createHash } from 'node:crypto';
import { DAY_NAMES, MONTH_NAMES } from '../../model/cron.ts';
import type { ScheduledInput } from '../../model/schedule.ts';

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

/** The parts of a schedule that facts are made of: described, or about to be set. */
export type Described = Pick<ScheduleDescription, 'spec' | 'policies'> & {
  action: Pick<ScheduleDescription['action'], 'workflowType' | 'taskQueue' | 'workflowId'> & {
    args?: readonly unknown[];
  };
};

export function factsOf({ spec, policies, action }: Described): Facts {
  const { calendars = [], intervals = [], skip = [] } = spec;
  const when = [...calendars.map(calendarText), ...intervals.map(intervalText)].toSorted();
  return {
    when: when.join('; ') || 'never',
    ...(skip.length > 0 && { except: skip.map(calendarText).toSorted().join('; ') }),
    ...(spec.startAt && { from: spec.startAt.toISOString() }),
    ...(spec.endAt && { until: spec.endAt.toISOString() }),
    // An interval has no zone; a server may say UTC of it.
    ...(calendars.length > 0 && { 'time zone': spec.timezone || 'UTC' }),
    jitter: durationFact(spec.jitter ?? 0),
    overlap: String(policies.overlap).toLowerCase().replaceAll('_', '-'),
    'catch-up': durationFact(policies.catchupWindow),
    ...(policies.pauseOnFailure && { 'pauses at the first failure': 'yes' }),
    starts: `${action.workflowType} ${action.workflowId} on ${action.taskQueue}`,
    ...inputFacts(action.args?.[0]),
  };
}

type Calendar = NonNullable<ScheduleDescription['spec']['calendars']>[number];
type Range = { start: unknown; end: unknown; step: number };

/** As cron writes it, with what cron has not: seconds before, years after. */
function calendarText(calendar: Calendar): string {
  const { second, minute, hour, dayOfMonth, month, dayOfWeek, year } = calendar;
  const days = { names: DAY_NAMES, max: 6 };
  const fields = [
    setText(minute, { max: 59 }),
    setText(hour, { max: 23 }),
    setText(dayOfMonth, { min: 1, max: 31 }),
    setText(month, { min: 1, max: 12, names: MONTH_NAMES }),
    setText(dayOfWeek, days),
  ].join(' ');
  const seconds = setText(second, { max: 59 });
  const years = setText(year, { max: 0 });
  return `${seconds === '0' ? '' : `${seconds}s `}${fields}${years === '' ? '' : ` ${years}`}`;
}

interface Bounds {
  min?: number;
  max: number;
  names?: readonly string[];
}

function setText(ranges: unknown, { min = 0, max, names }: Bounds): string {
  const values = new Set<number>();
  for (const { start, end, step } of ranges as Range[]) {
    const [low, high] = [numberOf(start, min, names), numberOf(end, min, names)];
    for (let value = low; value <= high; value += step) values.add(value);
  }
  if (values.size === max - min + 1 && max > 0) return '*';
  return runsOf([...values].toSorted((a, b) => a - b));
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

/** The SDK has names for months and days: `JANUARY`, `SUNDAY`. */
function numberOf(value: unknown, min: number, names: readonly string[] = []): number {
  if (typeof value === 'number') return value;
  return names.indexOf(String(value).slice(0, 3).toLowerCase()) + min;
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
