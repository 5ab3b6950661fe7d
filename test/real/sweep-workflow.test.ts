import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { Context } from '@temporalio/activity';
import { ApplicationFailure, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { Activities } from '../../src/activities/index.ts';
import type { SweepInput, SweepResult } from '../../src/model/sweep.ts';
import { startTemporal } from '../helpers/temporal.ts';

type Handle = WorkflowHandle<(input: SweepInput) => Promise<SweepResult>>;

let temporal: TestWorkflowEnvironment;
let workflowBundle: WorkflowBundleWithSourceMap;

before(async () => {
  temporal = await startTemporal();
  const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.js', import.meta.url));
  workflowBundle = await bundleWorkflowCode({ workflowsPath });
});

after(async () => {
  await temporal?.teardown();
});

async function sweep(
  input: SweepInput,
  sweepLeftovers: Activities['sweepLeftovers'],
  body: (handle: Handle) => Promise<void>,
): Promise<void> {
  const taskQueue = `queue-${randomUUID()}`;
  const worker = await Worker.create({
    connection: temporal.nativeConnection,
    taskQueue,
    workflowBundle,
    activities: { sweepLeftovers },
    // Cancellation reaches an activity with the answer to a heartbeat.
    maxHeartbeatThrottleInterval: 200,
  });
  const handle: Handle = await temporal.client.workflow.start('sweepLake', {
    workflowId: `sweep/${randomUUID()}`,
    taskQueue,
    args: [input],
  });
  await worker.runUntil(body(handle));
}

function resultOf({ olderThanMs, dryRun }: SweepInput): SweepResult {
  return { olderThanMs, dryRun, items: [], count: 0, bytes: 0, totals: [], younger: 0 };
}

const INPUT: SweepInput = {
  olderThanMs: 0,
  dryRun: true,
  heartbeatTimeoutMs: 30_000,
};

describe('sweepLake', () => {
  it('sweeps the lake as it was asked to', async () => {
    const asked: unknown[] = [];
    const sweepLeftovers: Activities['sweepLeftovers'] = async (input) => {
      asked.push(input);
      return resultOf(input);
    };
    await sweep(INPUT, sweepLeftovers, async (handle) => {
      assert.deepEqual(await handle.result(), resultOf(INPUT));
      const { events = [] } = await handle.fetchHistory();
      assert.ok((events?.length ?? 0) < 20, `${events?.length} events`);
      await Worker.runReplayHistory({ workflowBundle }, { events }, handle.workflowId);
    });
    assert.deepEqual(asked, [INPUT]);
  });

  it('fails with the code of what went wrong', async () => {
    const refused = async (): Promise<never> => {
      const what = { type: 'LAKE_NOT_WRITABLE', message: 'It is read-only.', nonRetryable: true };
      throw ApplicationFailure.create(what);
    };
    await sweep(INPUT, refused, async (handle) => {
      const failed: unknown = await handle.result().catch((error: unknown) => error);
      assert.ok(failed instanceof WorkflowFailedError);
      assert.ok(failed.cause instanceof ApplicationFailure);
      assert.equal(failed.cause.type, 'LAKE_NOT_WRITABLE');
    });
  });

  it('when cancelled waits until the activity has stopped removing', async () => {
    let isStarted = (): void => undefined;
    const started = new Promise<void>((resolve) => {
      isStarted = resolve;
    });
    let isStopped = false;
    const sweeping = async (): Promise<never> => {
      isStarted();
      const beat = setInterval(() => {
        Context.current().heartbeat();
      }, 50);
      try {
        return await Context.current().cancelled;
      } finally {
        clearInterval(beat);
        isStopped = true;
      }
    };
    await sweep({ ...INPUT, dryRun: false }, sweeping, async (handle) => {
      await started;
      await handle.cancel();
      await assert.rejects(handle.result(), WorkflowFailedError);
      assert.equal((await handle.describe()).status.name, 'CANCELLED');
      assert.ok(isStopped);
    });
  });
});
