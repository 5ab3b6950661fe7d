import { defineSearchAttributeKey } from '@temporalio/common';
import { isCancellation, log, workflowInfo } from '@temporalio/workflow';
import { ingestDateAt } from '../model/dates.ts';
import type { DayInput, IngestResult, RunError } from '../model/run.ts';
import { assertHasPastDays, isTooOld } from '../model/ingest-day.ts';
import type { ScheduledInput } from '../model/schedule.ts';
import { activities } from './activities.ts';
import { failRun, toRunError } from './failures.ts';
import { joinDay } from './join-day.ts';
import * as policies from './policies.ts';

/**
 * What a schedule starts: the run of the day that it is, in the dataset's time zone, at the schedule's nominal time,
 * however late it starts. A failure is this run's alone; several in a row pause the schedule.
 */
export async function ingestOnSchedule(input: ScheduledInput): Promise<IngestResult> {
  const { startTime } = workflowInfo();
  const nominal = nominalTime() ?? startTime;
  const isBackfill = isTooOld(nominal, startTime, input.catchupMs);
  const { dataset } = input.run;
  const ingestDate: string = ingestDateAt(nominal, dataset.timeZone);
  try {
    if (isBackfill) assertHasPastDays(dataset, ingestDate);
    // What the catch-up allows is today's version, stored as the day's that it was due on.
    const run: DayInput = { ...input.run, ingestDate, ...(!isBackfill && { asIf: true }) };
    return await joinDay(isBackfill ? { ...run, backfill: true } : run);
  } catch (error) {
    if (isCancellation(error)) throw error;
    const known = toRunError(error);
    if (!isBackfill && known.code !== 'CANCELLED') await pauseIfFailing(input, known);
    return failRun(known);
  }
}

const SCHEDULED_START = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');
const SCHEDULED_BY = defineSearchAttributeKey('TemporalScheduledById', 'KEYWORD');

/** Undefined where a person started this workflow. */
function nominalTime(): Date | undefined {
  return workflowInfo().typedSearchAttributes.get(SCHEDULED_START);
}

async function pauseIfFailing(input: ScheduledInput, error: RunError): Promise<void> {
  const { typedSearchAttributes, workflowId } = workflowInfo();
  const scheduleId = typedSearchAttributes.get(SCHEDULED_BY);
  if (scheduleId === undefined) return;
  const { pauseAfterFailures, catchupMs } = input;
  const { pauseIfFailing: pause } = activities(policies.SHORT_CALL, {
    summary: `Failed: pause ${scheduleId} after ${pauseAfterFailures} in a row`,
  });
  try {
    const found = await pause({ scheduleId, workflowId, pauseAfterFailures, catchupMs, error });
    log.warn('A scheduled run has failed', { scheduleId, ...found });
  } catch (failure) {
    // The schedule may be gone meanwhile; what failed is told in any case.
    if (isCancellation(failure)) throw failure;
    log.warn('The schedule could not be looked at', { scheduleId, error: failure });
  }
}
