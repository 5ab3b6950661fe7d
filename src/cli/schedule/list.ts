import type { Client, ScheduleExecutionResult } from '@temporalio/client';
import { print, type CliContext } from '../context.ts';
import { schedulesText } from '../render/schedules.ts';
import { withTemporal } from '../with-temporal.ts';
import { hashOf } from './facts.ts';
import { listScheduleIds, readSchedule, type OnServer } from './server.ts';

export interface ScheduleSummary {
  dataset: string;
  scheduleId: string;
  when: string;
  timeZone: string;
  paused: boolean;
  note?: string;
  /** `by-hand`: changed since the last apply; `foreign`: `apply` did not make it. */
  state: 'applied' | 'by-hand' | 'foreign';
  /** ISO 8601, UTC; jitter included. */
  next: string[];
  /** Newest first. */
  runs: ScheduledRun[];
}

export interface ScheduledRun {
  workflowId: string;
  runId: string;
  /** The nominal time, ISO 8601, UTC. */
  scheduledAt: string;
  /** Temporal's; EXPIRED where its history is gone. */
  status: string;
}

const SHOWN_TIMES = 5;
const SHOWN_RUNS = 5;

export async function listSchedules(context: CliContext, flags: { json?: boolean }): Promise<void> {
  await withTemporal(context, { worker: false }, async ({ client }) => {
    const schedules: ScheduleSummary[] = [];
    for (const id of await listScheduleIds(client)) {
      const existing = await readSchedule(client, id);
      if (existing) schedules.push(await summaryOf(client, existing));
    }
    await print(context, flags, { schedules }, () => schedulesText(schedules));
  });
}

async function summaryOf(client: Client, existing: OnServer): Promise<ScheduleSummary> {
  const { dataset, scheduleId, facts, paused, applied, description } = existing;
  const { state, info } = description;
  const recent = info.recentActions
    .toSorted((a, b) => b.takenAt.getTime() - a.takenAt.getTime())
    .slice(0, SHOWN_RUNS);
  return {
    dataset,
    scheduleId,
    when: facts['when'] ?? '',
    timeZone: facts['time zone'] ?? 'UTC',
    paused,
    note: state.note,
    state: !applied ? 'foreign' : applied.hash === hashOf(facts) ? 'applied' : 'by-hand',
    next: paused
      ? []
      : info.nextActionTimes.slice(0, SHOWN_TIMES).map((time) => time.toISOString()),
    runs: await Promise.all(recent.map(async (each) => await runOf(client, each))),
  };
}

async function runOf(
  client: Client,
  { action, scheduledAt }: ScheduleExecutionResult,
): Promise<ScheduledRun> {
  const { workflowId, firstExecutionRunId: runId } = action.workflow;
  const at = { workflowId, runId, scheduledAt: scheduledAt.toISOString() };
  try {
    const { status } = await client.workflow.getHandle(workflowId, runId).describe();
    return { ...at, status: status.name };
  } catch (error) {
    if ((error as Error).name !== 'WorkflowNotFoundError') throw error;
    return { ...at, status: 'EXPIRED' };
  }
}
