import { Context } from '@temporalio/activity';
import {
  isGrpcServiceError,
  ServiceError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { isErrorCode } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { DayInput, IngestResult, JoinHeartbeat } from '../model/run.ts';
import { hasSearchAttributes, type StartedRun, startOrJoin, startRun } from '../runs/start-run.ts';
import type { ActivityDeps } from './deps.ts';

/** How often this attempt reports that it is alive, as a share of the heartbeat timeout. */
const HEARTBEATS_PER_TIMEOUT = 4;

/**
 * Starts the run of a dataset and day, or joins the one under way, and waits for its end: hours, perhaps. Another
 * attempt, on any worker, joins it again. Cancelled, it cancels the run that was started on its behalf, no other.
 * @returns its result. @throws ApplicationFailure with the run's own error.
 */
export async function startOrJoinRun(
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
