import assert from 'node:assert/strict';
import { Context } from '@temporalio/activity';
import { ApplicationFailure, type WorkflowHandle, WorkflowFailedError } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.ts';
import {
  ingestWorkflowId,
  type DayInput,
  type IngestInput,
  type IngestResult,
} from '../../src/model/run.ts';
import type { TestTemporal } from '../helpers/temporal.ts';
import { fakeActivities, type Calls } from './fake-activities.ts';

export type RunHandle = WorkflowHandle<(input: IngestInput) => Promise<IngestResult>>;

/** Runs the workflow of a day with fakes in place of all activities that the test does not give. */
export async function ingestWithFakes(
  temporal: TestTemporal,
  input: DayInput,
  changes: Partial<Activities>,
  body: (ran: { calls: Calls; handle: RunHandle }) => Promise<void>,
): Promise<void> {
  const calls: Calls = [];
  await temporal.withWorkers(fakeActivities(calls, changes), async (taskQueue) => {
    const handle: RunHandle = await temporal.client.workflow.start('ingestDataset', {
      workflowId: ingestWorkflowId(input.dataset, input.ingestDate),
      taskQueue,
      args: [input],
    });
    await body({ calls, handle });
  });
}

/** The failure with which a workflow ended. */
export async function failureOf(handle: {
  result(): Promise<unknown>;
}): Promise<ApplicationFailure> {
  const failed = await handle.result().then(
    () => assert.fail('the workflow should fail'),
    (error: unknown) => error,
  );
  assert.ok(failed instanceof WorkflowFailedError);
  assert.ok(failed.cause instanceof ApplicationFailure);
  return failed.cause;
}

/** A failure of an activity that no retry helps. */
export function refused(code: string, message = `${code} happened.`): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message, nonRetryable: true });
}

/** A point in an activity that a test waits for. */
export function gate(): { open: () => void; opened: Promise<void> } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), opened };
}

/** An activity that heartbeats until it is cancelled. */
export async function heartbeatUntilCancelled(): Promise<never> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 50);
  try {
    return await context.cancelled;
  } finally {
    clearInterval(beat);
  }
}
