import { createHash } from 'node:crypto';
import type { Client, ScheduleDescription, ScheduleHandle } from '@temporalio/client';
import { readCron } from '../../config/cron.ts';
import type { Config } from '../../config/load-config.ts';
import type { DatasetSpec } from '../../model/dataset.ts';
import { LonghaulError } from '../../model/errors.ts';
import {
  datasetOfSchedule,
  scheduledWorkflowId,
  scheduleIdOf,
  type AppliedSchedule,
  type Recurrence,
  type ScheduledInput,
  type ScheduleSpec,
} from '../../model/schedule.ts';

/**
 * Everything that `apply` sets in a schedule except pauses and notes, as a text for each fact ('' if it is not set).
 * Equal schedules have equal texts, although the server may write a schedule otherwise than the file.
 */
export type Fingerprint = Readonly<Record<string, string>>;

export interface Difference {
  fact: string;
  from: string;
  to: string;
}

export function hashOf(fingerprint: Fingerprint): string {
  const sorted = Object.entries(fingerprint)
    .filter(([, text]) => text !== '')
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
}

export function differences(from: Fingerprint, to: Fingerprint): Difference[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return names.flatMap((fact) => {
    const [was, is] = [from[fact] ?? '', to[fact] ?? ''];
    return was === is ? [] : [{ fact, from: was, to: is }];
  });
}

/** A schedule as datasets.yaml describes it, ready to be sent to Temporal. */
export type DesiredSchedule = ReturnType<typeof desired>;

/** @param queue task queue of the lake's workflows. */
export function desiredSchedules(config: Config, queue: string): DesiredSchedule[] {
  return config.datasets.flatMap((dataset) => {
    const schedule = config.schedules.get(dataset.name);
    return schedule ? [desired(dataset, schedule, config, queue)] : [];
  });
}

function desired(dataset: DatasetSpec, schedule: ScheduleSpec, config: Config, queue: string) {
  const { jitterMs, catchupMs, overlap, pauseAfterFailures, paused, recurrence } = schedule;
  const { engine } = config.settings;
  // With `retry`, a second run of a day repeats only what failed in the first one.
  const mode = 'ingest';
  const run = { dataset: dataset.name, mode, engine, retry: true, spec: dataset } as const;
  const input = { run, catchupMs, pauseAfterFailures };
  const policies = { overlap: OVERLAP_POLICIES[overlap], catchupWindow: catchupMs };
  const action = {
    type: 'startWorkflow',
    workflowType: 'ingestOnSchedule',
    workflowId: scheduledWorkflowId(dataset.name),
    taskQueue: queue,
    staticSummary: `ingest ${dataset.name} on schedule`,
  } as const;
  const { spec, when } = timesOf(recurrence);
  const fingerprint = {
    ...when,
    ...commonFields(jitterMs, policies, { ...action, args: [input] }),
  };
  const applied = { hash: hashOf(fingerprint), paused };
  return {
    dataset,
    scheduleId: scheduleIdOf(dataset.name),
    fingerprint,
    paused,
    spec: { ...spec, jitter: jitterMs },
    policies,
    action: { ...action, args: [{ ...input, applied }] },
  };
}

const OVERLAP_POLICIES = {
  skip: 'SKIP',
  'buffer-one': 'BUFFER_ONE',
  'buffer-all': 'BUFFER_ALL',
  'allow-all': 'ALLOW_ALL',
} as const;

function timesOf(recurrence: Recurrence) {
  if (recurrence.kind === 'every') {
    const every = recurrence.everyMs;
    return {
      spec: { intervals: [{ every }] },
      when: { when: intervalText({ every }), 'time zone': '' },
    };
  }
  const { text, timeZone } = recurrence;
  return {
    // The server keeps only the comment as text, and the Web UI shows it.
    spec: { cronExpressions: [`${text} # ${text}`], timezone: timeZone },
    when: { when: cronFingerprint(text), 'time zone': timeZone },
  };
}

export interface ExistingSchedule {
  scheduleId: string;
  dataset: string;
  fingerprint: Fingerprint;
  paused: boolean;
  /** Undefined if `apply` did not make the schedule. */
  applied: AppliedSchedule | undefined;
  /** Includes the notes, and the conflict token of this version. */
  description: ScheduleDescription;
}

/** @returns undefined if no schedule has the id. */
export async function readSchedule(
  client: Client,
  scheduleId: string,
): Promise<ExistingSchedule | undefined> {
  try {
    const description = await client.schedule.getHandle(scheduleId).describe();
    const { applied } = inputOf(description);
    const isOurs = typeof applied?.hash === 'string';
    return {
      scheduleId,
      dataset: datasetOfSchedule(scheduleId) ?? scheduleId,
      fingerprint: fingerprintOf(description),
      paused: description.state.paused,
      applied: isOurs ? applied : undefined,
      description,
    };
  } catch (error) {
    if ((error as Error).name === 'ScheduleNotFoundError') return undefined;
    throw error;
  }
}

/** The schedule ids in Longhaul's form. Temporal's list may lag behind the schedules by seconds. */
export async function listScheduleIds(client: Client): Promise<string[]> {
  const ids: string[] = [];
  for await (const { scheduleId } of client.schedule.list()) {
    if (datasetOfSchedule(scheduleId) !== undefined) ids.push(scheduleId);
  }
  return ids.toSorted();
}

export async function scheduleNamed(
  client: Client,
  dataset: string,
): Promise<ExistingSchedule & { handle: ScheduleHandle }> {
  const scheduleId = scheduleIdOf(dataset);
  const existing = await readSchedule(client, scheduleId);
  if (existing) return { ...existing, handle: client.schedule.getHandle(scheduleId) };
  throw new LonghaulError('SCHEDULE_UNKNOWN', `Temporal has no schedule ${scheduleId}.`);
}

/** The input of the schedule's workflow. A user may have edited it, so any field may be missing. */
export function inputOf({
  action,
}: {
  action: { args?: readonly unknown[] };
}): Partial<ScheduledInput> {
  return action.args?.[0] ?? {};
}

export function fingerprintOf({ spec, policies, action, raw }: ScheduleDescription): Fingerprint {
  const { structuredCalendar, excludeStructuredCalendar } = raw.schedule?.spec ?? {};
  const calendars = (structuredCalendar ?? []).map(calendarText);
  const except = (excludeStructuredCalendar ?? []).map(calendarText);
  const when = [...calendars, ...(spec.intervals ?? []).map(intervalText)];
  return {
    when: when.toSorted().join('; ') || 'never',
    except: except.toSorted().join('; '),
    from: spec.startAt?.toISOString() ?? '',
    until: spec.endAt?.toISOString() ?? '',
    // An interval has no time zone, but a server may report UTC for it.
    'time zone': calendars.length > 0 ? spec.timezone || 'UTC' : '',
    'pauses at the first failure': policies.pauseOnFailure ? 'yes' : '',
    ...commonFields(spec.jitter ?? 0, policies, action),
  };
}

type Policies = Pick<ScheduleDescription['policies'], 'overlap' | 'catchupWindow'>;
type Action = Pick<ScheduleDescription['action'], 'workflowType' | 'workflowId' | 'taskQueue'> & {
  args?: readonly unknown[];
};

/** The facts of a schedule apart from its times. */
function commonFields(jitterMs: number, policies: Policies, action: Action): Fingerprint {
  const { run, catchupMs, pauseAfterFailures } = inputOf({ action });
  const { spec, dataset: _, ...rest } = run ?? {};
  const { sources = [], ...ofDataset } = spec ?? {};
  const fingerprint: Record<string, string> = {
    jitter: durationText(jitterMs),
    overlap: String(policies.overlap).toLowerCase().replaceAll('_', '-'),
    'catch-up': durationText(policies.catchupWindow),
    starts: `${action.workflowType} ${action.workflowId} on ${action.taskQueue}`,
    'pause after failures': String(pauseAfterFailures),
    'catch-up of the run': durationText(Number(catchupMs)),
  };
  for (const [key, value] of Object.entries({ ...ofDataset, ...rest }))
    fingerprint[key] = plain(value);
  for (const { id, address, ...how } of sources)
    fingerprint[`source ${id}`] = `${address} ${plain(how)}`;
  return fingerprint;
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The server keeps the allowed values, not the cron text. So texts with the same meaning must give equal results. */
export function cronFingerprint(text: string): string {
  const read = readCron(text);
  return 'fields' in read ? cronText(read.fields) : text;
}

type RawSpec = NonNullable<NonNullable<ScheduleDescription['raw']['schedule']>['spec']>;
type Calendar = NonNullable<RawSpec['structuredCalendar']>[number];

/** A calendar in the form of cron, with the seconds before it and the years after it, which cron does not have. */
function calendarText(calendar: Calendar): string {
  const { second, minute, hour, dayOfMonth, month, dayOfWeek, year } = calendar;
  const fields = cronText([minute, hour, dayOfMonth, month, dayOfWeek].map(valuesOf));
  const seconds = runsOf(valuesOf(second));
  const years = runsOf(valuesOf(year));
  return `${seconds === '0' ? '' : `${seconds}s `}${fields}${years === '' ? '' : ` ${years}`}`;
}

/** Numbers of possible values of minute, hour, day of month, month and day of week. */
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
    // The server omits an end that equals the start, and a step of 1.
    for (let value = first; value <= Math.max(first, end ?? 0); value += step || 1)
      values.add(value);
  }
  return [...values].toSorted((a, b) => a - b);
}

/** Converts `1,2,3,5` to `1-3,5`. */
function runsOf(sorted: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const value of sorted) {
    const last = runs.at(-1);
    if (last && last[1] + 1 === value) last[1] = value;
    else runs.push([value, value]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

function intervalText({ every, offset = 0 }: { every: unknown; offset?: unknown }): string {
  const phase = offset === 0 ? '' : ` from ${durationText(Number(offset))}`;
  return `every ${durationText(Number(every))}${phase}`;
}

const UNITS: [string, number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
];

/** A duration in the form of datasets.yaml, for example `6h`. */
function durationText(ms: number): string {
  if (ms === 0) return '0';
  const [unit, size] = UNITS.find(([, each]) => ms % each === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}
