import type { Config } from '../../config/load-config.ts';
import type { DatasetSpec } from '../../model/dataset.ts';
import { printable } from '../../model/names.ts';
import {
  scheduledWorkflowId,
  scheduleIdOf,
  type Recurrence,
  type ScheduleSpec,
} from '../../model/schedule.ts';
import {
  commonFields,
  cronFingerprint,
  differences,
  hashOf,
  intervalText,
  type Difference,
  type ExistingSchedule,
} from './fingerprint.ts';

/** A schedule as datasets.yaml wants it, ready to be sent. */
export type DesiredSchedule = ReturnType<typeof desired>;

/** @param queue of the lake's workflows. */
export function desiredSchedules(config: Config, queue: string): DesiredSchedule[] {
  return config.datasets.flatMap((dataset) => {
    const schedule = config.schedules.get(dataset.name);
    return schedule ? [desired(dataset, schedule, config, queue)] : [];
  });
}

function desired(dataset: DatasetSpec, schedule: ScheduleSpec, config: Config, queue: string) {
  const { jitterMs, catchupMs, overlap, pauseAfterFailures, paused, recurrence } = schedule;
  const { engine } = config.settings;
  // What an earlier run of the day finished is not done again: a second start in a day repeats what failed.
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
    // The server keeps the comment alone as text, for the Web UI.
    spec: { cronExpressions: [`${text} # ${text}`], timezone: timeZone },
    when: { when: cronFingerprint(text), 'time zone': timeZone },
  };
}

export interface Change {
  action: 'create' | 'update' | 'delete' | 'unchanged' | 'left-alone';
  dataset: string;
  scheduleId: string;
  /** From what the server has to what the file says. */
  differences: Difference[];
  /** The reason of a deletion, or why a schedule is left alone. */
  reason?: string;
}

/** What makes the server's schedule of a dataset equal to the file's. */
export function planOf(
  wanted: DesiredSchedule,
  existing: ExistingSchedule | undefined,
  force: boolean,
): Change {
  const { scheduleId, fingerprint, paused } = wanted;
  const at = { dataset: wanted.dataset.name, scheduleId };
  if (!existing) return { ...at, action: 'create', differences: differences({}, fingerprint) };
  const { applied } = existing;
  const found = differences(existing.fingerprint, fingerprint);
  if (!applied) {
    const reason = 'it was not made by `longhaul schedule apply`: rename or delete it';
    return { ...at, action: 'left-alone', differences: found, reason };
  }
  const resumed = paused && applied.paused && !existing.paused;
  if (paused !== applied.paused || (resumed && force)) {
    found.push({ fact: 'paused', from: String(existing.paused), to: String(paused) });
  }
  const reason =
    // Who edited it to what the file says has not gone astray.
    (found.length > 0 ? driftOf(existing) : undefined) ??
    (resumed ? 'it was resumed by hand; the file says paused' : undefined);
  if (reason !== undefined && !force) {
    return { ...at, action: 'left-alone', differences: found, reason };
  }
  const same = found.length === 0 && applied.hash === hashOf(fingerprint);
  return { ...at, action: same ? 'unchanged' : 'update', differences: found };
}

/** What becomes of a schedule that the file does not want. */
export function planOfUnwanted(
  existing: ExistingSchedule,
  why: string,
  force: boolean,
): Change | undefined {
  const { dataset, scheduleId, applied } = existing;
  // Not made by `apply`: not a word about it.
  if (!applied) return undefined;
  const drift = force ? undefined : driftOf(existing);
  const at = { dataset, scheduleId, differences: [] };
  if (drift === undefined) return { action: 'delete', ...at, reason: why };
  return { action: 'left-alone', ...at, reason: `${why}, but ${drift}` };
}

function driftOf({ applied, fingerprint }: ExistingSchedule): string | undefined {
  if (applied?.hash === hashOf(fingerprint)) return undefined;
  return 'it was changed since the last apply, in the Web UI perhaps';
}

/** A line a schedule, and below it what differs. */
export function changesText(changes: readonly Change[], dryRun: boolean): string {
  if (changes.length === 0) return 'No schedules: neither in datasets.yaml nor on the server.';
  const count = (action: Change['action']): number =>
    changes.filter((each) => each.action === action).length;
  const [to, d] = dryRun ? ['to ', ''] : ['', 'd'];
  const left = count('left-alone');
  const counts = [
    ...(['create', 'update', 'delete'] as const).map((each) => `${count(each)} ${to}${each}${d}`),
    `${count('unchanged')} unchanged`,
    ...(left > 0 ? [`${left} left alone (--force makes ours equal to the file)`] : []),
  ];
  const total = `${dryRun ? 'Dry run, nothing was changed: ' : ''}${counts.join(', ')}.`;
  return [...changes.flatMap((change) => changeLines(change)), '', total].join('\n');
}

const SIGNS = { create: '+', update: '~', delete: '-', unchanged: '=', 'left-alone': '!' } as const;

function changeLines({ action, dataset, differences, reason }: Change): string[] {
  const why = reason === undefined ? '' : `: ${printable(reason)}`;
  const line = `${SIGNS[action]} ${dataset}  ${action.replace('-', ' ')}${why}`;
  if (action === 'create') {
    const when = differences.filter(({ fact }) => ['when', 'time zone'].includes(fact));
    return [`${line}: ${when.map(({ to }) => printable(to)).join(' ')}`];
  }
  const shown = (text: string): string => (text === '' ? '(nothing)' : printable(text));
  return [
    line,
    ...differences.map(
      ({ fact, from, to }) => `    ${printable(fact)}: ${shown(from)} → ${shown(to)}`,
    ),
  ];
}
