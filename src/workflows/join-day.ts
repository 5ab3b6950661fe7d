import { setCurrentDetails } from '@temporalio/workflow';
import { ingestWorkflowId, type DayInput, type IngestResult } from '../model/run.ts';
import { activities } from './activities.ts';
import * as policies from './policies.ts';

/**
 * Ends with the result of the run that has the day's own id: starts it, or joins it where it is under way. For
 * workflows that have another id: a schedule's, or one that a person typed.
 */
export async function joinDay(input: DayInput): Promise<IngestResult> {
  const { dataset, ingestDate } = input;
  const workflowId = ingestWorkflowId(dataset.name, ingestDate);
  setCurrentDetails(`The run of **${dataset.name}**, ${ingestDate}, is \`${workflowId}\`.`);
  const { runDay } = activities(policies.JOIN, {
    heartbeatTimeoutMs: input.heartbeatTimeoutMs,
    summary: `Start or join ${workflowId}`,
  });
  return await runDay(input);
}
