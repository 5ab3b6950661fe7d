import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'node:test';
import type { ScheduleDescription } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.ts';
import type { PauseInput } from '../../src/activities/runs.ts';
import type { DayInput, IngestResult } from '../../src/model/run.ts';
import {
  scheduledWorkflowId,
  scheduleIdOf,
  type ScheduledInput,
} from '../../src/model/schedule.ts';
import { TestTemporal } from '../helpers/temporal.ts';
import { fakeActivities, ingestInput } from '../workflows/fake-activities.ts';
import { failureOf, refused } from '../workflows/fake-run.ts';
import { keepHistory } from '../workflows/history.ts';

const DAY_MS = 86_400_000;

const temporal = new TestTemporal();

/** Inputs of the activities that start runs and look at schedules. */
interface Asked {
  days: DayInput[];
  pauses: PauseInput[];
}

async function withWorker(
  changes: Partial<Activities>,
  body: (taskQueue: string, asked: Asked) => Promise<void>,
): Promise<void> {
  const asked: Asked = { days: [], pauses: [] };
  const fakes = fakeActivities([]);
  const startOrJoinRun = changes.startOrJoinRun ?? fakes.startOrJoinRun;
  const activities: Activities = {
    ...fakes,
    startOrJoinRun: async (input) => {
      asked.days.push(input);
      return await startOrJoinRun(input);
    },
    pauseIfFailing: async (input) => {
      asked.pauses.push(input);
      return { failures: 1, paused: false };
    },
  };
  await temporal.withWorkers(activities, async (taskQueue) => await body(taskQueue, asked));
}

const FAILING: Pick<Activities, 'startOrJoinRun'> = {
  startOrJoinRun: async () => {
    throw refused('SOURCE_NOT_FOUND', 'h answered 404.');
  },
};

async function resultOf(workflowId: string): Promise<IngestResult> {
  return (await temporal.client.workflow.getHandle(workflowId).result()) as IngestResult;
}

interface Scheduled {
  taskQueue: string;
  address?: string;
  /** Past time of a missed run, for which the schedule makes up. Without it, the test triggers the schedule. */
  nominal?: Date;
}

/** Starts the workflow through a schedule, because only such a start has a nominal time. @returns the workflow's id. */
async function startOnSchedule({ taskQueue, address, nominal }: Scheduled): Promise<string> {
  const name = `d-${randomUUID()}`;
  const { ingestDate: _, ...run } = ingestInput(['a']);
  const sources = run.spec.sources.map((source) => ({
    ...source,
    address: address ?? source.address,
  }));
  const input: ScheduledInput = {
    run: { ...run, dataset: name, spec: { name, timeZone: 'America/Denver', sources } },
    catchupMs: DAY_MS,
    pauseAfterFailures: 3,
    applied: { hash: '', paused: false },
  };
  const handle = await temporal.client.schedule.create({
    scheduleId: scheduleIdOf(name),
    spec: { calendars: [{ hour: 23, minute: 30 }], timezone: 'America/Denver' },
    state: { paused: true },
    policies: { overlap: 'ALLOW_ALL' },
    action: {
      type: 'startWorkflow',
      workflowType: 'ingestOnSchedule',
      workflowId: scheduledWorkflowId(name),
      taskQueue,
      args: [input],
    },
  });
  // The server excludes the start of a backfill and includes its end.
  if (nominal === undefined) await handle.trigger();
  else await handle.backfill({ start: new Date(nominal.getTime() - 1), end: nominal });
  return await startedBy(async () => await handle.describe());
}

async function startedBy(describeIt: () => Promise<ScheduleDescription>): Promise<string> {
  for (;;) {
    const [first] = (await describeIt()).info.recentActions;
    if (first) return first.action.workflow.workflowId;
    await delay(50);
  }
}

/** Half past eleven at night in Denver is on the next day in UTC. */
const PAST = { nominal: new Date('2026-03-08T06:30:00Z'), ingestDate: '2026-03-07' };
const DATED = 'http://example.org/{date}.csv';

describe('ingestOnSchedule', () => {
  it('starts the run of today', async () => {
    await withWorker({}, async (taskQueue, { days, pauses }) => {
      const workflowId = await startOnSchedule({ taskQueue });
      assert.equal((await resultOf(workflowId)).status, 'published');
      assert.deepEqual([days.length, days[0]?.backfill, pauses], [1, undefined, []]);
      await keepHistory('scheduled', { workflowId }, temporal);
    });
  });

  it('made up for, is the run of the day that it was in the time zone, with slots of its own', async () => {
    await withWorker({}, async (taskQueue, { days }) => {
      const { nominal, ingestDate } = PAST;
      const workflowId = await startOnSchedule({ taskQueue, address: DATED, nominal });
      await resultOf(workflowId);
      assert.deepEqual([days[0]?.ingestDate, days[0]?.backfill], [ingestDate, true]);
      await keepHistory('scheduled-backfill', { workflowId }, temporal);
    });
  });

  it('refuses to store today as a past day, which says nothing of the schedule', async () => {
    await withWorker({}, async (taskQueue, { days, pauses }) => {
      const workflowId = await startOnSchedule({ taskQueue, nominal: PAST.nominal });
      assert.equal(
        (await failureOf(temporal.client.workflow.getHandle(workflowId))).type,
        'BACKFILL_REFUSED',
      );
      assert.deepEqual([days, pauses], [[], []]);
      await keepHistory('scheduled-refused', { workflowId }, temporal);
    });
  });

  it('that failed fails with the error of the run, and lets the schedule be looked at', async () => {
    await withWorker(FAILING, async (taskQueue, { pauses }) => {
      const workflowId = await startOnSchedule({ taskQueue });
      const failure = await failureOf(temporal.client.workflow.getHandle(workflowId));
      assert.equal(failure.type, 'SOURCE_NOT_FOUND');
      assert.match(failure.message, /h answered 404\./);
      assert.deepEqual(
        pauses.map((each) => [each.workflowId, each.pauseAfterFailures, each.error.code]),
        [[workflowId, 3, 'SOURCE_NOT_FOUND']],
      );
      await keepHistory('scheduled-failed', { workflowId }, temporal);
    });
  });
});

describe('ingestDataset, started by hand', () => {
  const start = async (taskQueue: string, workflowId: string, input: unknown) =>
    await temporal.client.workflow.start('ingestDataset', { taskQueue, workflowId, args: [input] });

  it('with a name alone does what the worker says of it', async () => {
    await withWorker({}, async (taskQueue, { days }) => {
      const workflowId = 'ingest/denver-311/2026-11-23';
      await start(taskQueue, workflowId, { dataset: 'denver-311' });
      const { status, ingestDate } = await resultOf(workflowId);
      assert.deepEqual([status, ingestDate, days], ['published', '2026-11-23', []]);
      await keepHistory('by-hand', { workflowId }, temporal);
    });
  });

  it('under another id fails at once, for good, saying the right one', async () => {
    await withWorker({}, async (taskQueue) => {
      const workflowId = `another id ${randomUUID()}`;
      await start(taskQueue, workflowId, ingestInput(['2015']));
      const failure = await failureOf(temporal.client.workflow.getHandle(workflowId));
      assert.deepEqual([failure.type, failure.nonRetryable], ['RUN_INPUT_INVALID', true]);
      assert.match(
        failure.message,
        /has the workflow id ingest\/denver-311\/2026-11-23, not "another/,
      );
      await keepHistory('by-hand-other-id', { workflowId }, temporal);
    });
  });

  it('with a wrong input fails at once, for good, saying what to write', async () => {
    await withWorker({}, async (taskQueue) => {
      const workflowId = `wrong ${randomUUID()}`;
      await start(taskQueue, workflowId, { dataset: 'denver-311', date: 'today' });
      const failure = await failureOf(temporal.client.workflow.getHandle(workflowId));
      assert.deepEqual([failure.type, failure.nonRetryable], ['RUN_INPUT_INVALID', true]);
      assert.match(failure.message, /"date" is not known.* dataset, ingestDate/);
      await keepHistory('by-hand-wrong', { workflowId }, temporal);
    });
  });
});
