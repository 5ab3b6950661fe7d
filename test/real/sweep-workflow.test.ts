import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.ts';
import type { SweepInput, SweepResult } from '../../src/model/sweep.ts';
import { TestTemporal } from '../helpers/temporal.ts';
import { failureOf, gate, heartbeatUntilCancelled, refused } from '../workflows/fake-run.ts';

type Handle = WorkflowHandle<(input: SweepInput) => Promise<SweepResult>>;

const temporal = new TestTemporal();

async function sweep(
  input: SweepInput,
  sweepLeftovers: Activities['sweepLeftovers'],
  body: (handle: Handle) => Promise<void>,
): Promise<void> {
  await temporal.withWorkers({ sweepLeftovers }, async (taskQueue) => {
    const handle: Handle = await temporal.client.workflow.start('sweepLake', {
      workflowId: `sweep/${randomUUID()}`,
      taskQueue,
      args: [input],
    });
    await body(handle);
  });
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
      await temporal.replay({ events }, handle.workflowId);
    });
    assert.deepEqual(asked, [INPUT]);
  });

  it('fails with the code of what went wrong', async () => {
    const failing = async (): Promise<never> => {
      throw refused('LAKE_NOT_WRITABLE');
    };
    await sweep(INPUT, failing, async (handle) => {
      assert.equal((await failureOf(handle)).type, 'LAKE_NOT_WRITABLE');
    });
  });

  it('when cancelled waits until the activity has stopped removing', async () => {
    const started = gate();
    let isStopped = false;
    const sweeping = async (): Promise<never> => {
      started.open();
      return await heartbeatUntilCancelled().finally(() => (isStopped = true));
    };
    await sweep({ ...INPUT, dryRun: false }, sweeping, async (handle) => {
      await started.opened;
      await handle.cancel();
      await assert.rejects(handle.result(), WorkflowFailedError);
      assert.equal((await handle.describe()).status.name, 'CANCELLED');
      assert.ok(isStopped);
    });
  });
});
