import {
  ActivityCancellationType,
  continueAsNew,
  proxyActivities,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { HandInput } from '../model/run-input.ts';
import {
  ingestWorkflowId,
  type DayInput,
  type IngestInput,
  type IngestResult,
} from '../model/run.ts';
import * as policies from './policies.ts';

/**
 * Ends with the result of the run that has the day's own id: starts it, or joins it where it is under way. For
 * workflows that have another id: a schedule's, or one that a person typed.
 */
export async function joinDay(input: DayInput): Promise<IngestResult> {
  const { dataset, ingestDate } = input;
  const workflowId = ingestWorkflowId(dataset.name, ingestDate);
  setCurrentDetails(`The run of **${dataset.name}**, ${ingestDate}, is \`${workflowId}\`.`);
  const { runDay } = proxyActivities<Activities>({
    ...policies.JOIN,
    heartbeatTimeout: input.heartbeatTimeoutMs ?? policies.DEFAULT_HEARTBEAT_TIMEOUT_MS,
    // The run that was started on our behalf has cleaned up before we end.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary: `Start or join ${workflowId}`,
  });
  return await runDay(input);
}

/** A few words of a person become the whole input of a run, by what the worker's datasets.yaml and settings say. */
export async function startedByHand(hand: HandInput): Promise<IngestResult> {
  const { startTime, workflowId } = workflowInfo();
  const { resolveRun } = proxyActivities<Activities>({
    ...policies.SHORT_CALL,
    heartbeatTimeout: policies.DEFAULT_HEARTBEAT_TIMEOUT_MS,
    summary: `What datasets.yaml says of ${hand.dataset}`,
  });
  const input = await resolveRun({ hand, startedAt: startTime.toISOString() });
  if (workflowId !== ingestWorkflowId(input.dataset.name, input.ingestDate)) {
    return await joinDay(input);
  }
  // The day's own run: its first event should say all of it, as that of every other run does.
  return await continueAsNew<(input: IngestInput) => Promise<IngestResult>>(input);
}
