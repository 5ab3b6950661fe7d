import type { DayInput, IngestResult, JoinHeartbeat, RunError } from '../model/run.ts';
import type { ActivityDeps } from './deps.ts';
import { runActivity } from './work.ts';
import { Context } from '@temporalio/activity';
import {
  isGrpcServiceError,
  ServiceError,
  WorkflowFailedError,
  type WorkflowHandle,
  type Client,
  type ScheduleDescription,
  type ScheduleExecutionResult,
} from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { isErrorCode } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { hasSearchAttributes, startOrJoin, startRun, type StartedRun } from '../runs/start-run.ts';
import { isTooOld } from '../model/dates.ts';
import { datasetOfSchedule } from '../model/schedule.ts';

/** What a schedule's workflow has done: the run of its day, and a look at how the last ones ended. */
export function createRunActivities(deps: Pick<ActivityDeps, 'activity'>) {
  return {
    /** Starts or joins the run of a dataset and day, and ends with its result. */
    startOrJoinRun: async (input: DayInput): Promise<IngestResult> =>
      await startOrJoinRun(deps, input),

    pauseIfFailing: async (input: PauseInput): Promise<PauseResult> =>
      await runActivity(deps, async () => await pauseIfFailing(input)),
  };
}

/** How often this attempt reports that it is alive, as a share of the heartbeat timeout. */
const HEARTBEATS_PER_TIMEOUT = 4;

/**
 * Starts the run of a dataset and day, or joins the one under way, and waits for its end: hours, perhaps. Another
 * attempt, on any worker, joins it again. Cancelled, it cancels the run that was started on its behalf, no other.
 * @returns its result. @throws ApplicationFailure with the run's own error.
 */
async function startOrJoinRun(
  { activity }: Pick<ActivityDeps, 'activity'>,
  input: DayInput,
): Promise<IngestResult> {
  const context = Context.current();
  let joined: JoinHeartbeat | undefined;
  const timer = setInterval(() => {
    context.heartbeat(joined);
  }, activity.heartbeatTimeoutMs / HEARTBEATS_PER_TIMEOUT);
  try {
    const options = {
      // Of this activity, which is that of workflows.
      queue: context.info.taskQueue,
      startedBy: ownerOf(context),
      hasSearchAttributes: await hasSearchAttributes(context.client),
    };
    const start = async (): Promise<StartedRun> => {
      const run = await startRun(context.client, input, options);
      joined = { joined: { workflowId: run.workflowId, runId: run.runId } };
      context.heartbeat(joined);
      return run;
    };
    const run = await startOrJoin(input, start, async (other) => {
      await endOf(context, other).catch(rethrowIfCancelled);
    });
    return await endOf(context, run);
  } catch (error) {
    throw toJoinFailure(error, input);
  } finally {
    clearInterval(timer);
  }
}

async function endOf(context: Context, run: StartedRun): Promise<IngestResult> {
  const ended = run.handle.result();
  // Once the wait has ended otherwise, no handler is left for a rejection.
  ended.catch(() => undefined);
  try {
    return await Promise.race([ended, context.cancelled]);
  } catch (error) {
    const isOurs = run.startedBy === ownerOf(context);
    if (isOurs && context.cancellationDetails?.cancelRequested) await cancelled(run.handle);
    throw error;
  }
}

/** Cancels the run, and waits until it has cleaned up. */
async function cancelled(handle: WorkflowHandle): Promise<void> {
  try {
    await handle.cancel();
    await handle.result();
  } catch {
    // That it was cancelled is what was wanted; where it had ended already, there is nothing to cancel.
  }
}

function ownerOf({ info }: Context): string {
  return info.workflowExecution?.workflowId ?? '';
}

function rethrowIfCancelled(error: unknown): void {
  if (!(error instanceof WorkflowFailedError)) throw error;
}

function toJoinFailure(error: unknown, { dataset, ingestDate }: DayInput): Error {
  if (error instanceof CancelledFailure) return error;
  const day = `${dataset}, ${ingestDate}`;
  if (error instanceof WorkflowFailedError) return ofRun(error, day);
  const message = printable(error instanceof Error ? error.message : String(error));
  if (!(error instanceof ServiceError) && !isGrpcServiceError(error)) {
    return ApplicationFailure.create({ message, type: 'INTERNAL', nonRetryable: true });
  }
  // The server that gives us work will be back.
  return ApplicationFailure.retryable(
    `Temporal does not answer while ${day} is waited for: ${message}`,
    'TEMPORAL_UNREACHABLE',
  );
}

/** The run has failed for good: its error is ours. */
function ofRun({ cause, message }: WorkflowFailedError, day: string): Error {
  if (cause instanceof ApplicationFailure && isErrorCode(cause.type)) {
    const { type, details } = cause;
    return ApplicationFailure.create({
      message: cause.message,
      type,
      nonRetryable: true,
      details: details ?? [],
    });
  }
  const isCancelled = !(cause instanceof ApplicationFailure);
  return ApplicationFailure.create({
    message: isCancelled
      ? `The run of ${day} was cancelled or terminated.`
      : printable(cause.message || message),
    type: isCancelled ? 'CANCELLED' : 'INTERNAL',
    nonRetryable: true,
  });
}

/**
 * Pauses a schedule whose newest runs have all failed, this one included, with a note that says why. Backfilled days
 * and cancelled runs say nothing of the next day.
 */
async function pauseIfFailing(input: PauseInput): Promise<PauseResult> {
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

export interface PauseInput {
  scheduleId: string;
  /** The run that has failed just now. */
  workflowId: string;
  pauseAfterFailures: number;
  catchupMs: number;
  error: RunError;
}

export interface PauseResult {
  /** In a row, this one included. */
  failures: number;
  paused: boolean;
}
