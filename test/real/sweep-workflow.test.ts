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

type Fakes = Pick<Activities, 'locateLake' | 'sweepLeftovers'>;
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

/** Runs a sweep with these activities; those of the lake on a queue of their own, as a worker has them. */
async function sweep(
  input: SweepInput,
  fakes: (lakeQueue: string) => Fakes,
  body: (handle: Handle) => Promise<void>,
): Promise<void> {
  const taskQueue = `queue-${randomUUID()}`;
  const lakeQueue = `lake-${randomUUID()}`;
  const { locateLake, sweepLeftovers } = fakes(lakeQueue);
  const { nativeConnection: connection } = temporal;
  const shared = { connection, taskQueue, workflowBundle, activities: { locateLake } };
  const lake = { connection, taskQueue: lakeQueue, activities: { sweepLeftovers } };
  const workers = [
    await Worker.create(shared),
    // Cancellation reaches an activity with the answer to a heartbeat.
    await Worker.create({ ...lake, maxHeartbeatThrottleInterval: 200 }),
  ] as const;
  const handle: Handle = await temporal.client.workflow.start('sweepLake', {
    workflowId: `sweep/${randomUUID()}`,
    taskQueue,
    args: [input],
  });
  await workers[1].runUntil(workers[0].runUntil(body(handle)));
}

function resultOf({ target, olderThanMs, dryRun }: SweepInput): SweepResult {
  return { target, olderThanMs, dryRun, items: [], count: 0, bytes: 0, totals: [], younger: 0 };
}

const INPUT: SweepInput = {
  target: 's3',
  olderThanMs: 0,
  dryRun: true,
  heartbeatTimeoutMs: 30_000,
};

describe('sweepLake', () => {
  it('asks whose lake it is, then sweeps it there', async () => {
    const asked: unknown[] = [];
    const fakes = (queue: string): Fakes => ({
      locateLake: async (input) => {
        asked.push(input);
        return { queue };
      },
      sweepLeftovers: async (input) => {
        asked.push(input);
        return resultOf(input);
      },
    });
    const onDisk = { ...INPUT, target: 'disk', olderThanMs: 1000, dryRun: true } as const;
    await sweep(onDisk, fakes, async (handle) => {
      assert.deepEqual(await handle.result(), resultOf(onDisk));
    });
    const input = { ...INPUT, dryRun: false };
    await sweep(input, fakes, async (handle) => {
      assert.deepEqual(await handle.result(), resultOf(input));
      const { events = [] } = await handle.fetchHistory();
      assert.ok((events?.length ?? 0) < 30, `${events?.length} events`);
      await Worker.runReplayHistory({ workflowBundle }, { events }, handle.workflowId);
    });
    assert.deepEqual(asked, [{ target: 'disk' }, onDisk, { target: 's3' }, input]);
  });

  it('fails with the code of what went wrong', async () => {
    const fakes = (): Fakes => ({
      locateLake: async () => {
        throw ApplicationFailure.create({
          type: 'CONFIG_INVALID',
          message: 'The worker of this run has no S3_BUCKET.',
          nonRetryable: true,
        });
      },
      sweepLeftovers: async (input) => resultOf(input),
    });
    await sweep(INPUT, fakes, async (handle) => {
      const failed: unknown = await handle.result().catch((error: unknown) => error);
      assert.ok(failed instanceof WorkflowFailedError);
      assert.ok(failed.cause instanceof ApplicationFailure);
      assert.equal(failed.cause.type, 'CONFIG_INVALID');
    });
  });

  it('when cancelled waits until the activity has stopped removing', async () => {
    let isStarted = (): void => undefined;
    const started = new Promise<void>((resolve) => {
      isStarted = resolve;
    });
    let isStopped = false;
    const fakes = (queue: string): Fakes => ({
      locateLake: async () => ({ queue }),
      sweepLeftovers: async () => {
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
      },
    });
    await sweep({ ...INPUT, dryRun: false }, fakes, async (handle) => {
      await started;
      await handle.cancel();
      await assert.rejects(handle.result(), WorkflowFailedError);
      assert.equal((await handle.describe()).status.name, 'CANCELLED');
      assert.ok(isStopped);
    });
  });
});
