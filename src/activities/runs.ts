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

/** Activities of a schedule's workflow: it runs its day, and checks how its last runs ended. */
export function createRunActivities(deps: Pick<ActivityDeps, 'activity'>) {
  return {
    /** Starts or joins the run of a dataset and day, and returns its result. */
    startOrJoinRun: async (input: DayInput): Promise<IngestResult> =>
      await startOrJoinRun(deps, input),

    pauseIfFailing: async (input: PauseInput): Promise<PauseResult> =>
      await runActivity(deps, async () => await pauseIfFailing(input)),
  };
}

/** The attempt sends this many heartbeats in each heartbeat timeout. */
const HEARTBEATS_PER_TIMEOUT = 4;

/**
 * Starts the run of a dataset and day, or joins it, and waits for its end, which may take hours. Another attempt on any
 * worker joins it again. If the activity is cancelled, it cancels only a run that it started itself.
 * @returns the run's result.
 * @throws ApplicationFailure with the run's own error.
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
      // This activity runs on the queue of the workflows.
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
  // Another event may end the wait first. A later rejection would then have no handler.
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
    // `result` throws because the run was cancelled, as intended. `cancel` throws if the run had ended already.
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
  // The server that gives this worker its tasks will be back.
  return ApplicationFailure.retryable(
    `Temporal does not answer while the worker waits for ${day}: ${message}`,
    'TEMPORAL_UNREACHABLE',
  );
}

/** The run has failed for good, so this activity fails with the run's error. */
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
 * Pauses a schedule if its newest runs have all failed, including this one. The note says why. Backfilled days and
 * cancelled runs do not count, because they say nothing about the next day.
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
  // The server may not list the asking run yet.
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
    // The run's history may have expired. The run then does not count.
    if (!(cause instanceof ApplicationFailure)) return 'neither';
    return cause.type === 'CANCELLED' ? 'neither' : 'failed';
  }
}

/** The Web UI shows a note in one line, so longer reasons are cut. */
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
  /** The run that has just failed. */
  workflowId: string;
  pauseAfterFailures: number;
  catchupMs: number;
  error: RunError;
}

export interface PauseResult {
  /** Failures in a row, including this one. */
  failures: number;
  paused: boolean;
}
