import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WorkflowFailedError } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.ts';
import type { OpenResult } from '../../src/activities/days.ts';
import type { BatchInput, DayInput, RunError } from '../../src/model/run.ts';
import { TestTemporal } from '../helpers/temporal.ts';
import { ingestInput, opened, type Calls } from '../workflows/fake-activities.ts';
import {
  failureOf,
  gate,
  heartbeatUntilCancelled,
  ingestWithFakes,
  type RunHandle,
} from '../workflows/fake-run.ts';
import { keepHistory } from '../workflows/history.ts';
import { sourceResult } from '../workflows/source-result.ts';

const temporal = new TestTemporal();
/** Size of each fake landing. */
const SOURCE_BYTES = sourceResult('x', 'landed').bytes;

function ids(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `s${n}`);
}

async function ingest(
  sources: readonly string[],
  changes: Partial<Activities>,
  body: (ran: { calls: Calls; handle: RunHandle }) => Promise<void>,
  more: Partial<DayInput> = {},
): Promise<void> {
  const input = ingestInput([...sources], { engine: 'spark', ...more });
  await ingestWithFakes(temporal, input, changes, body);
}

/** Jobs of Spark that finish at once and record their sources. */
function recordedBatches(failed: (id: string) => RunError[] = () => []) {
  const batches: string[][] = [];
  const convertBatch = async ({ sources }: BatchInput): Promise<{ failed: RunError[] }> => {
    batches.push(sources.map(({ id }) => id));
    return { failed: sources.flatMap(({ id }) => failed(id)) };
  };
  return { batches, convertBatch };
}

function withPlan(changes: Partial<OpenResult['plan']>): Partial<Activities> {
  return {
    openSnapshot: async (input) => {
      const result = opened(input);
      return { ...result, plan: { ...result.plan, ...changes } };
    },
  };
}

describe('a run with Spark', () => {
  it('goes probe, land, inspect, stage, one job, verify, publish', async () => {
    await ingest(['2015'], {}, async ({ calls, handle }) => {
      assert.equal((await handle.result()).status, 'published');
      assert.deepEqual(calls, [
        'openSnapshot',
        'probeSource/2015',
        'landSource/2015',
        'inspectSource/2015',
        'stageSource/2015',
        'convertBatch',
        'verifySource/2015',
        'publishSnapshot',
        'syncTable',
        'cleanUp',
      ]);
      await keepHistory('spark-published', handle, temporal);
    });
  });

  it('submits no job where nothing has changed', async () => {
    const changes: Partial<Activities> = {
      probeSource: async ({ source }) => ({ result: sourceResult(source.id, 'unchanged') }),
    };
    await ingest(['a', 'b'], changes, async ({ calls, handle }) => {
      await handle.result();
      assert.deepEqual(
        calls.filter((call) => /stage|Batch/.test(call)),
        [],
      );
    });
  });

  it('holds no source up for a slow publisher, and takes what comes later in another job', async () => {
    const converted = gate();
    const { batches, convertBatch } = recordedBatches();
    const changes: Partial<Activities> = {
      landSource: async ({ source }) => {
        if (source.id === 'slow') await converted.opened;
        return { ...sourceResult(source.id, 'landed'), rawKey: 'raw/key' };
      },
      convertBatch: async (input) => {
        const result = await convertBatch(input);
        if (batches.flat().length === 4) converted.open();
        return result;
      },
    };
    await ingest(['slow', 'a', 'b', 'c', 'd'], changes, async ({ handle }) => {
      await handle.result();
      assert.deepEqual(batches.at(-1), ['slow']);
      assert.deepEqual(batches.flat().toSorted(), ['a', 'b', 'c', 'd', 'slow']);
    });
  });

  it('stages no more at once than there is room for, and a source that is larger alone', async () => {
    const { batches, convertBatch } = recordedBatches();
    const staged = new Set<string>();
    const together: string[] = [];
    let most = 0;
    const changes: Partial<Activities> = {
      ...withPlan({ stageBytes: 3 * SOURCE_BYTES }),
      landSource: async ({ source }) => {
        const bytes = source.id === 's0' ? 100 * SOURCE_BYTES : SOURCE_BYTES;
        return { ...sourceResult(source.id, 'landed'), bytes, rawKey: 'raw/key' };
      },
      stageSource: async ({ source }) => {
        staged.add(source.id);
        if (staged.has('s0') && staged.size > 1) together.push(...staged);
        most = Math.max(most, staged.size);
        const bytes = source.id === 's0' ? 100 * SOURCE_BYTES : SOURCE_BYTES;
        return { bytes, stagedBytes: bytes };
      },
      convertBatch: async (input) => {
        const result = await convertBatch(input);
        for (const { id } of input.sources) staged.delete(id);
        return result;
      },
    };
    await ingest(
      ids(20),
      changes,
      async ({ handle }) => {
        await handle.result();
        assert.deepEqual(together, []);
        assert.ok(most >= 2 && most <= 3, `${most} at once`);
        assert.equal(batches.flat().length, 20);
      },
      { sourceConcurrency: 8 },
    );
  });

  it('publishes nothing where one of 300 sources fails, names it, and finishes the others', async () => {
    const { convertBatch } = recordedBatches((id) =>
      id === 's7'
        ? [{ code: 'ENGINE_FAILED', message: 'It broke.', hint: '', retryable: false, source: id }]
        : [],
    );
    await ingest(
      ids(300),
      { convertBatch },
      async ({ calls, handle }) => {
        const failure = await failureOf(handle);
        assert.equal(failure.type, 'ENGINE_FAILED');
        assert.match(failure.message, /other 299 of 300 sources are done/);
        assert.equal(calls.filter((call) => call.startsWith('verifySource/')).length, 299);
        assert.ok(!calls.includes('publishSnapshot') && calls.includes('cleanUp'));
      },
      { sourceConcurrency: 16 },
    );
  });

  it('when cancelled in a job waits until that has stopped before it cleans up', async () => {
    const started = gate();
    let stopped = false;
    let cleaned: boolean | undefined;
    const changes: Partial<Activities> = {
      convertBatch: async () => {
        started.open();
        return await heartbeatUntilCancelled().finally(() => (stopped = true));
      },
      cleanUp: async () => {
        cleaned = stopped;
        return {};
      },
    };
    await ingest(
      ['a', 'b'],
      changes,
      async ({ handle }) => {
        await started.opened;
        await handle.cancel();
        await assert.rejects(handle.result(), WorkflowFailedError);
        assert.equal((await handle.describe()).status.name, 'CANCELLED');
        assert.equal(cleaned, true);
        await keepHistory('spark-cancelled', handle, temporal);
      },
      { heartbeatTimeoutMs: 30_000 },
    );
  });
});
