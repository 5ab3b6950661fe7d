import { defineSearchAttributeKey } from '@temporalio/common';
import { isCancellation, log, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import { ingestDateAt, assertHasPastDays, isTooOld } from '../model/dates.ts';
import { ingestWorkflowId, type DayInput, type IngestResult, type RunError } from '../model/run.ts';
import type { ScheduledInput } from '../model/schedule.ts';
import { activities } from './activities.ts';
import { failRun, toRunError } from './failures.ts';

/**
 * The workflow that a schedule starts. It starts the run of the day of the schedule's nominal time, in the dataset's
 * time zone, however late the workflow itself starts. A failure fails only this workflow; several in a row pause the
 * schedule.
 */
export async function ingestOnSchedule(input: ScheduledInput): Promise<IngestResult> {
  const { startTime } = workflowInfo();
  const nominal = nominalTime() ?? startTime;
  const isBackfill = isTooOld(nominal, startTime, input.catchupMs);
  const { spec } = input.run;
  const ingestDate: string = ingestDateAt(nominal, spec.timeZone);
  try {
    if (isBackfill) assertHasPastDays(spec, ingestDate);
    // Within the catch-up window the run stores today's version under the day on which it was due.
    const how = isBackfill ? { backfill: true } : { asIf: true };
    return await startOrJoin({ ...input.run, ...how, ingestDate });
  } catch (error) {
    if (isCancellation(error)) throw error;
    const known = toRunError(error);
    if (!isBackfill && known.code !== 'CANCELLED') await pauseIfFailing(input, known);
    return failRun(known);
  }
}

/** Returns the result of the day's own run. */
async function startOrJoin(input: DayInput): Promise<IngestResult> {
  const { dataset, ingestDate, heartbeatTimeoutMs } = input;
  const workflowId = ingestWorkflowId(dataset, ingestDate);
  setCurrentDetails(`The run of **${dataset}**, ${ingestDate}, is \`${workflowId}\`.`);
  const { startOrJoinRun } = activities('JOIN', {
    heartbeatTimeoutMs,
    summary: `Start or join ${workflowId}`,
  });
  return await startOrJoinRun(input);
}

const SCHEDULED_START = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');
const SCHEDULED_BY = defineSearchAttributeKey('TemporalScheduledById', 'KEYWORD');

/** Undefined if a user started this workflow. */
function nominalTime(): Date | undefined {
  return workflowInfo().typedSearchAttributes.get(SCHEDULED_START);
}

async function pauseIfFailing(input: ScheduledInput, error: RunError): Promise<void> {
  const { typedSearchAttributes, workflowId } = workflowInfo();
  const scheduleId = typedSearchAttributes.get(SCHEDULED_BY);
  if (scheduleId === undefined) return;
  const { pauseAfterFailures, catchupMs } = input;
  const { pauseIfFailing: pause } = activities('SHORT_CALL', {
    summary: `Failed: pause ${scheduleId} after ${pauseAfterFailures} in a row`,
  });
  try {
    const found = await pause({ scheduleId, workflowId, pauseAfterFailures, catchupMs, error });
    log.warn('A scheduled run has failed', { scheduleId, ...found });
  } catch (failure) {
    // The schedule may have been deleted. The run reports its failure in any case.
    if (isCancellation(failure)) throw failure;
    log.warn('The schedule could not be read', { scheduleId, error: failure });
  }
}
