import { Context } from '@temporalio/activity';
import {
  WorkflowFailedError,
  type Client,
  type ScheduleDescription,
  type ScheduleExecutionResult,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { isTooOld } from '../model/dates.ts';
import { datasetOfSchedule } from '../model/schedule.ts';
import type { PauseInput, PauseResult } from './types.ts';

/**
 * Pauses a schedule whose newest runs have all failed, this one included, with a note that says why. Backfilled days
 * and cancelled runs say nothing of the next day.
 */
export async function pauseIfFailing(input: PauseInput): Promise<PauseResult> {
  const { client } = Context.current();
  const handle = client.schedule.getHandle(input.scheduleId);
  const description = await handle.describe();
  const failures = await failuresInARow(client, description, input);
  if (description.state.paused || failures < input.pauseAfterFailures) {
    return { failures, paused: false };
  }
  await handle.pause(noteOf(input, failures));
  return { failures, paused: true };
}

async function failuresInARow(
  client: Client,
  { info }: ScheduleDescription,
  { catchupMs, workflowId }: PauseInput,
): Promise<number> {
  const newestFirst = info.recentActions
    .filter(({ scheduledAt, takenAt }) => !isTooOld(scheduledAt, takenAt, catchupMs))
    .toSorted((a, b) => b.takenAt.getTime() - a.takenAt.getTime());
  // The server may not list the run yet that asks.
  let failures = newestFirst.some(({ action }) => action.workflow.workflowId === workflowId)
    ? 0
    : 1;
  for (const each of newestFirst) {
    const outcome =
      each.action.workflow.workflowId === workflowId ? 'failed' : await outcomeOf(client, each);
    if (outcome === 'done') break;
    if (outcome === 'failed') failures += 1;
  }
  return failures;
}

async function outcomeOf(
  client: Client,
  { action }: ScheduleExecutionResult,
): Promise<'done' | 'failed' | 'neither'> {
  const { workflowId, firstExecutionRunId } = action.workflow;
  const handle = client.workflow.getHandle(workflowId, firstExecutionRunId);
  try {
    const { status } = await handle.describe();
    if (status.name === 'COMPLETED') return 'done';
    if (status.name !== 'FAILED') return 'neither';
    await handle.result();
    return 'done';
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
    // Its history may have expired: then it counts for nothing.
    if (!(cause instanceof ApplicationFailure)) return 'neither';
    return cause.type === 'CANCELLED' ? 'neither' : 'failed';
  }
}

/** The Web UI shows a note in one line. */
const MAX_NOTE_LENGTH = 500;

function noteOf({ scheduleId, error }: PauseInput, failures: number): string {
  const dataset = datasetOfSchedule(scheduleId) ?? scheduleId;
  const row = failures === 1 ? 'a failed run' : `${failures} failed runs in a row`;
  const why = `Paused by longhaul after ${row}. The last: ${error.code}: ${error.message}`;
  const what = ` → ${error.hint} Then: longhaul schedule resume ${dataset}`;
  return `${why.slice(0, MAX_NOTE_LENGTH)}${what}`;
}
