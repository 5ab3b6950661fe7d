import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ENGINES, type Engine } from '../../src/model/dataset.ts';
import { emrWorkflowId } from '../../src/model/emr.ts';
import { TestTemporal } from '../helpers/temporal.ts';
import { ingestInput, opened } from '../workflows/fake-activities.ts';
import { FAKE_PLAN } from '../workflows/fake-emr.ts';
import { ingestWithFakes, type RunHandle } from '../workflows/fake-run.ts';

const temporal = new TestTemporal();
/** Limits of Temporal's server. The server ends a run whose history is larger. */
const [MAX_EVENTS, MAX_HISTORY_BYTES] = [51_200, 50 * 1024 * 1024];
const MAX_EVENTS_OF_SOURCE = 30;
/** Larger counts take minutes. A history grows by the same size with each source. */
const COUNTS: Record<Engine, number[]> = {
  duckdb: [1, 100],
  parquetjs: [1],
  spark: [1, 1000],
  emr: [1, 1000],
  'emr-serverless': [1, 100],
};

interface Size {
  events: number;
  bytes: number;
}

async function sizeOf(handle: Pick<RunHandle, 'describe'>): Promise<Size> {
  const { historyLength: events, historySize: bytes } = await handle.describe();
  return { events, bytes: bytes ?? assert.fail('the server says no size') };
}

async function ingest(engine: Engine, count: number): Promise<{ run: Size; child?: Size }> {
  const ids = Array.from({ length: count }, (_, n) => `s${n}`);
  const input = ingestInput(ids, { engine, sourceConcurrency: 16 });
  const emr = engine === 'emr' ? { emr: FAKE_PLAN } : {};
  const sizes: { run?: Size; child?: Size } = {};
  const openSnapshot = async (asked: Parameters<typeof opened>[0]) => {
    const result = opened(asked);
    return { ...result, plan: { ...result.plan, ...emr } };
  };
  await ingestWithFakes(temporal, input, { openSnapshot }, async ({ handle }) => {
    assert.equal((await handle.result()).sources.length, count);
    sizes.run = await sizeOf(handle);
    if (engine !== 'emr') return;
    const { runId } = await handle.describe();
    const id = emrWorkflowId({ ...input, runId });
    sizes.child = await sizeOf(temporal.client.workflow.getHandle(id));
  });
  return { ...sizes, run: sizes.run ?? assert.fail('the run has a size') };
}

/** docs/emr.md names the size of a run's history. `npm test -- real/history-sizes` prints it. */
describe('histories are far from the limits of Temporal', () => {
  for (const engine of ENGINES) {
    for (const count of COUNTS[engine]) {
      it(`with ${count} sources by ${engine}`, async (t) => {
        const { run, child } = await ingest(engine, count);
        for (const [what, { events, bytes }] of Object.entries({
          run,
          ...(child ? { child } : {}),
        })) {
          t.diagnostic(
            `| ${engine} | ${count} | ${what} | ${events} | ${(bytes / 1e6).toFixed(2)} MB |`,
          );
          assert.ok(bytes < MAX_HISTORY_BYTES / 2 && events < MAX_EVENTS * 0.6, `${events} events`);
        }
        if (count > 1) assert.ok(run.events < MAX_EVENTS_OF_SOURCE * count, `${run.events} events`);
        // The limit is the same for any number of sources.
        if (child) assert.ok(child.events < 100, `${child.events} events of the child`);
      });
    }
  }
});
