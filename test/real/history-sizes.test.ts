import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ENGINES, type Engine } from '../../src/model/dataset.ts';
import { emrWorkflowId } from '../../src/model/emr.ts';
import { TestTemporal } from '../helpers/temporal.ts';
import { ingestInput, opened } from '../workflows/fake-activities.ts';
import { FAKE_PLAN } from '../workflows/fake-emr.ts';
import { ingestWithFakes, type RunHandle } from '../workflows/fake-run.ts';

const temporal = new TestTemporal();
/** Limit of Temporal's server, which ends a run whose history is larger, or has more than 51,200 events. */
const MAX_HISTORY_BYTES = 50 * 1024 * 1024;
/** So 1,000 sources use 0.6 of the events that the server allows. */
const MAX_EVENTS_OF_SOURCE = 30;
/** docs/emr.md names so many sources. They would take minutes, so the test computes the size of their history. */
const MANY_SOURCES = 1000;
/** A history that grows by the same size with each source is less than twice as large with twice as many. */
const MAX_GROWTH = 2.1;
const COUNTS: Record<Engine, number[]> = {
  duckdb: [1, 100],
  parquetjs: [1],
  spark: [1, 100, 200],
  emr: [1, 100, 200],
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
    it(`with ${COUNTS[engine].join(' or ')} sources by ${engine}`, async (t) => {
      const half: Record<string, Size> = {};
      for (const count of COUNTS[engine]) {
        const { run, child } = await ingest(engine, count);
        for (const [what, size] of Object.entries({ run, ...(child && { child }) })) {
          const { events, bytes } = size;
          const megabytes = (bytes / 1e6).toFixed(2);
          t.diagnostic(`| ${engine} | ${count} | ${what} | ${events} | ${megabytes} MB |`);
          if (count === 1) continue;
          const times = MANY_SOURCES / count;
          assert.ok(bytes * times < MAX_HISTORY_BYTES / 2, `${megabytes} MB with ${count}`);
          if (half[what]) assert.ok(bytes < half[what].bytes * MAX_GROWTH, `${megabytes} MB`);
          half[what] = size;
        }
        const perSource = run.events / count;
        if (count > 1) assert.ok(perSource < MAX_EVENTS_OF_SOURCE, `${perSource} events a source`);
        // The limit is the same for any number of sources.
        if (child) assert.ok(child.events < 100, `${child.events} events of the child`);
      }
    });
  }
});
