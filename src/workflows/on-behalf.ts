import { ContinueAsNew, continueAsNew, isCancellation, workflowInfo } from '@temporalio/workflow';
import { checkRunInput, isHandInput, type HandInput } from '../model/run-input.ts';
import { ingestWorkflowId, type IngestInput, type IngestResult } from '../model/run.ts';
import { activities } from './activities.ts';
import { failRun, toRunError } from './failures.ts';
import { joinDay } from './join-day.ts';
import * as policies from './policies.ts';

/** Fails the workflow at once where its input is none. */
export function checkedInput(given: unknown): HandInput | IngestInput {
  try {
    return checkRunInput(given);
  } catch (error) {
    return failRun(toRunError(error));
  }
}

/** A person may type any id. */
export function hasOtherId({ dataset, ingestDate }: IngestInput): boolean {
  return workflowInfo().workflowId !== ingestWorkflowId(dataset.name, ingestDate);
}

/** Ends with the result of the day's own run, whatever it takes to find that. */
export async function onBehalf(input: HandInput | IngestInput): Promise<IngestResult> {
  try {
    return await (isHandInput(input) ? startedByHand(input) : joinDay(input));
  } catch (error) {
    if (isCancellation(error) || error instanceof ContinueAsNew) throw error;
    return failRun(toRunError(error));
  }
}

/** A few words of a person become the whole input of a run, by what the worker's datasets.yaml and settings say. */
async function startedByHand(hand: HandInput): Promise<IngestResult> {
  const { startTime, workflowId } = workflowInfo();
  const { resolveRun } = activities(policies.SHORT_CALL, {
    summary: `What datasets.yaml says of ${hand.dataset}`,
  });
  const input = await resolveRun({ hand, startedAt: startTime.toISOString() });
  if (workflowId !== ingestWorkflowId(input.dataset.name, input.ingestDate)) {
    return await joinDay(input);
  }
  // The day's own run: its first event should say all of it, as that of every other run does.
  return await continueAsNew<(input: IngestInput) => Promise<IngestResult>>(input);
}
