import { hostname } from 'node:os';
import type { ScheduleDescription } from '@temporalio/client';
import type { Config } from '../../config/load-config.ts';
import type { DatasetSpec } from '../../model/dataset.ts';
import { TASK_QUEUE, type Target } from '../../model/run.ts';
import {
  scheduledWorkflowId,
  scheduleIdOf,
  type Recurrence,
  type ScheduledInput,
  type ScheduleSpec,
} from '../../model/schedule.ts';
import { hashOf, wantedFacts, type Facts } from './facts.ts';

/** A schedule as datasets.yaml wants it, ready to be sent. */
export interface DesiredSchedule {
  dataset: DatasetSpec;
  scheduleId: string;
  facts: Facts;
  paused: boolean;
  lake: string;
  spec: {
    cronExpressions?: string[];
    intervals?: { every: number }[];
    timezone?: string;
    jitter: number;
  };
  policies: { overlap: ScheduleDescription['policies']['overlap']; catchupWindow: number };
  action: {
    type: 'startWorkflow';
    workflowType: string;
    workflowId: string;
    taskQueue: string;
    staticSummary: string;
    args: [ScheduledInput];
  };
}

export function desiredSchedules(config: Config, target: Target): DesiredSchedule[] {
  return config.datasets.flatMap((dataset) => {
    const schedule = config.schedules.get(dataset.name);
    return schedule ? [desired(dataset, schedule, config, target)] : [];
  });
}

/**
 * The lake that schedules fill, in words: those of another one, in the same namespace, are not ours. A disk is one of
 * this host, but for the embedded server, which has no other.
 */
export function lakeOf({ s3Place, settings }: LakeConfig, target: Target): string {
  if (target === 's3') return s3Place ?? 's3';
  return settings.temporal.address === undefined ? 'disk' : `${settings.dataDir} of ${hostname()}`;
}

type LakeConfig = Pick<Config, 's3Place'> & {
  settings: Pick<Config['settings'], 'temporal' | 'dataDir'>;
};

function desired(
  dataset: DatasetSpec,
  schedule: ScheduleSpec,
  config: Config,
  target: Target,
): DesiredSchedule {
  const { jitterMs, catchupMs, overlap, pauseAfterFailures, paused, recurrence } = schedule;
  const lake = lakeOf(config, target);
  const { engine } = config.settings;
  // What an earlier run of the day finished is not done again: a second start in a day repeats what failed.
  const run = { dataset, mode: 'ingest', engine, target, retry: true } as const;
  const input = { run, catchupMs, pauseAfterFailures };
  const spec = { ...timesOf(recurrence), jitter: jitterMs };
  const policies = { overlap: OVERLAP_POLICIES[overlap], catchupWindow: catchupMs };
  const action = {
    type: 'startWorkflow',
    workflowType: 'ingestOnSchedule',
    workflowId: scheduledWorkflowId(dataset.name),
    taskQueue: TASK_QUEUE,
    staticSummary: `ingest ${dataset.name} on schedule${target === 's3' ? ', in S3' : ''}`,
  } as const;
  const facts = wantedFacts(recurrence, jitterMs, policies, { ...action, args: [input] });
  const applied = { hash: hashOf(facts), paused, lake };
  return {
    dataset,
    scheduleId: scheduleIdOf(dataset.name),
    facts,
    paused,
    lake,
    spec,
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

function timesOf(recurrence: Recurrence): Omit<DesiredSchedule['spec'], 'jitter'> {
  if (recurrence.kind === 'every') return { intervals: [{ every: recurrence.everyMs }] };
  const { text, timeZone } = recurrence;
  // The server keeps the comment alone as text, for the Web UI.
  return { cronExpressions: [`${text} # ${text}`], timezone: timeZone };
}
