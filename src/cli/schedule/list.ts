import type { Client, ScheduleExecutionResult } from '@temporalio/client';
import { printable } from '../../model/names.ts';
import { momentText, tableText } from '../text.ts';
import { hashOf, listScheduleIds, readSchedule, type ExistingSchedule } from './fingerprint.ts';

export type ScheduleSummary = Awaited<ReturnType<typeof summaryOf>>;

export async function listSchedules(client: Client): Promise<ScheduleSummary[]> {
  const schedules: ScheduleSummary[] = [];
  for (const id of await listScheduleIds(client)) {
    const existing = await readSchedule(client, id);
    if (existing) schedules.push(await summaryOf(client, existing));
  }
  return schedules;
}

const SHOWN_TIMES = 5;
const SHOWN_RUNS = 5;

async function summaryOf(client: Client, existing: ExistingSchedule) {
  const { dataset, scheduleId, fingerprint, paused, applied, description } = existing;
  const { state, info } = description;
  const recent = info.recentActions
    .toSorted((a, b) => b.takenAt.getTime() - a.takenAt.getTime())
    .slice(0, SHOWN_RUNS);
  const isAsApplied = applied?.hash === hashOf(fingerprint);
  const next = paused ? [] : info.nextActionTimes.slice(0, SHOWN_TIMES);
  return {
    dataset,
    scheduleId,
    when: fingerprint['when'] ?? '',
    timeZone: fingerprint['time zone'] || 'UTC',
    paused,
    note: state.note || undefined,
    state: !applied
      ? ('foreign' as const)
      : isAsApplied
        ? ('applied' as const)
        : ('by-hand' as const),
    // Jitter included.
    next: next.map((time) => time.toISOString()),
    runs: await Promise.all(recent.map(async (each) => await runOf(client, each))),
  };
}

async function runOf(client: Client, { action, scheduledAt }: ScheduleExecutionResult) {
  const { workflowId, firstExecutionRunId: runId } = action.workflow;
  const handle = client.workflow.getHandle(workflowId, runId);
  const status = await handle.describe().then(
    (run): string => run.status.name,
    (error: unknown) => {
      if ((error as Error).name === 'WorkflowNotFoundError') return 'EXPIRED';
      throw error;
    },
  );
  return { workflowId, runId, scheduledAt: scheduledAt.toISOString(), status };
}

const STATES = {
  applied: '',
  'by-hand': ' (changed by hand since the last apply)',
  foreign: ' (not made by longhaul schedule apply)',
} as const;

export function schedulesText(schedules: readonly ScheduleSummary[]): string {
  if (schedules.length === 0) return 'No schedules: `longhaul schedule apply` makes them.';
  return schedules.map((each) => scheduleLines(each).join('\n')).join('\n\n');
}

function scheduleLines(schedule: ScheduleSummary): string[] {
  const { dataset, when, timeZone, paused, note, state, next, runs } = schedule;
  const zone = isZone(timeZone) ? timeZone : 'UTC';
  const at = (time: string): string => momentText(new Date(time), zone);
  const lines = [`${dataset}: ${printable(when)}, ${printable(timeZone)}${STATES[state]}`];
  if (paused) lines.push(`  paused: ${printable(note ?? 'without a note')}`);
  else {
    if (note !== undefined) lines.push(`  note: ${printable(note)}`);
    lines.push(`  next: ${next.map(at).join(', ')}`);
  }
  const rows = runs.map((run) => [at(run.scheduledAt), run.status.toLowerCase(), run.workflowId]);
  return [
    ...lines,
    rows.length === 0 ? '  no runs yet' : tableText(['due', 'status', 'run'], rows),
  ];
}

/** A schedule that `apply` did not make may have any text as its zone. */
function isZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
