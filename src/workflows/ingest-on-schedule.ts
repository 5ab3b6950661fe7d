import { defineSearchAttributeKey } from '@temporalio/common';
import { isCancellation, log, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { undatedSources } from '../model/dated-address.ts';
import { ingestDateAt } from '../model/dates.ts';
import type { DayInput, IngestResult, RunError } from '../model/run.ts';
import { isTooOld, type ScheduledInput } from '../model/schedule.ts';
import { failRun, runError, toRunError } from './failures.ts';
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
    const run: DayInput = { ...input.run, ingestDate };
    return await joinDay(
      isBackfill ? { ...run, backfill: true, hostWaitMs: policies.BACKFILL_WAIT_MS } : run,
    );
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

function assertHasPastDays(dataset: ScheduledInput['run']['dataset'], ingestDate: string): void {
  const undated = undatedSources(dataset);
  if (undated.length === 0) return;
  const which = undated.length === 1 ? `The source ${undated[0]} has` : 'The sources have';
  const message = `${which} today's version only: it would be stored as what ${dataset.name} was on ${ingestDate}.`;
  failRun(runError('BACKFILL_REFUSED', message));
}

async function pauseIfFailing(input: ScheduledInput, error: RunError): Promise<void> {
  const { typedSearchAttributes, workflowId } = workflowInfo();
  const scheduleId = typedSearchAttributes.get(SCHEDULED_BY);
  if (scheduleId === undefined) return;
  const { pauseAfterFailures, catchupMs } = input;
  const { pauseIfFailing: pause } = proxyActivities<Activities>({
    ...policies.SHORT_CALL,
    heartbeatTimeout: policies.DEFAULT_HEARTBEAT_TIMEOUT_MS,
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
