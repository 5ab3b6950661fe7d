import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { WorkflowFailedError } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.ts';
import type { DayInput, IngestResult, RunProgress } from '../../src/model/run.ts';
import { TestTemporal } from '../helpers/temporal.ts';
import { fakeActivities, ingestInput, opened, type Calls } from '../workflows/fake-activities.ts';
import {
  failureOf,
  gate,
  heartbeatUntilCancelled,
  ingestWithFakes,
  refused,
  type RunHandle,
} from '../workflows/fake-run.ts';
import { HISTORIES, keepHistory } from '../workflows/history.ts';
import { sourceResult } from '../workflows/source-result.ts';

const temporal = new TestTemporal();

const ingest = async (
  input: DayInput,
  changes: Partial<Activities>,
  body: (ran: { calls: Calls; handle: RunHandle }) => Promise<void>,
): Promise<void> => await ingestWithFakes(temporal, input, changes, body);

async function keep(name: string, { workflowId }: RunHandle): Promise<void> {
  await keepHistory(name, { workflowId }, temporal);
}

describe('ingestDataset', () => {
  it('goes probe, land, inspect, convert, verify, publish, in under 65 events', async () => {
    await ingest(ingestInput(['2015']), {}, async ({ calls, handle }) => {
      const result = await handle.result();
      assert.equal(result.status, 'published');
      assert.deepEqual(calls, [
        'openSnapshot',
        'probeSource/2015',
        'landSource/2015',
        'inspectSource/2015',
        'convertSource/2015',
        'verifySource/2015',
        'publishSnapshot',
        'syncTable',
        'cleanUp',
      ]);
      const history = await handle.fetchHistory();
      assert.ok((history.events?.length ?? 0) < 65, `${history.events?.length} events`);
      const progress: RunProgress = await handle.query('progress');
      assert.equal(progress.sources[0]?.stage, 'done');
      await keep('published', handle);
    });
  });

  it('publishes nothing when a source fails, finishes the others, and says which to retry', async () => {
    const changes: Partial<Activities> = {
      probeSource: async ({ source }) => {
        if (source.id === '2019') throw refused('SOURCE_NOT_FOUND');
        return {};
      },
    };
    await ingest(ingestInput(['2015', '2019', '2023']), changes, async ({ calls, handle }) => {
      const failure = await failureOf(handle);
      assert.equal(failure.type, 'SOURCE_NOT_FOUND');
      assert.match(failure.message, /other 2 of 3 sources are done/);
      assert.ok(calls.includes('verifySource/2015') && calls.includes('verifySource/2023'));
      assert.ok(!calls.includes('publishSnapshot'));
      assert.ok(calls.includes('cleanUp'));
      await keep('source-failed', handle);
    });
  });

  it('names every failed source when several fail', async () => {
    const changes: Partial<Activities> = {
      probeSource: async () => {
        throw refused('SOURCE_FORBIDDEN');
      },
    };
    await ingest(ingestInput(['a', 'b']), changes, async ({ handle }) => {
      const failure = await failureOf(handle);
      assert.equal(failure.type, 'SOURCES_INCOMPLETE');
      assert.match(failure.message, /a: SOURCE_FORBIDDEN.*b: SOURCE_FORBIDDEN/);
    });
  });

  it('lists a missing optional source and publishes without it, but never a day without any', async () => {
    const fail: Partial<Activities> = {
      probeSource: async ({ source }) => {
        if (source.optional) throw refused('SOURCE_NOT_FOUND');
        return {};
      },
    };
    const input = ingestInput(['a', 'b']);
    for (const source of input.spec.sources) source.optional = source.id === 'b';
    let missing: string[] = [];
    const publishSnapshot = fakeActivities([]).publishSnapshot;
    const changes: Partial<Activities> = {
      ...fail,
      publishSnapshot: async (published) => {
        ({ missing } = published);
        return await publishSnapshot(published);
      },
    };
    await ingest(input, changes, async ({ handle }) => {
      await handle.result();
      assert.deepEqual(missing, ['b']);
    });
    for (const source of input.spec.sources) source.optional = true;
    await ingest(input, fail, async ({ handle }) => {
      assert.equal((await failureOf(handle)).type, 'SOURCES_INCOMPLETE');
    });
  });

  it('ends at once with what is published already', async () => {
    const published: IngestResult = {
      dataset: 'denver-311',
      ingestDate: '2026-11-23',
      mode: 'ingest',
      status: 'already-published',
      revision: 1,
      sources: [sourceResult('2015', 'converted')],
      ledger: { records: 10, rows: 10, rejected: 0, balanced: true },
    };
    const changes: Partial<Activities> = {
      openSnapshot: async (input) => ({ ...opened(input), published }),
    };
    await ingest(ingestInput(['2015']), changes, async ({ calls, handle }) => {
      const { table, ...result } = await handle.result();
      assert.deepEqual(result, published);
      assert.ok(table && 'tag' in table);
      // A run ends like this if the run before it was killed between the manifest and the table.
      assert.deepEqual(calls, ['openSnapshot', 'syncTable']);
    });
  });

  it('publishes the day where its table cannot follow, and says so', async () => {
    const changes: Partial<Activities> = {
      syncTable: async () => {
        throw refused('TABLE_FOREIGN_COMMIT');
      },
    };
    await ingest(ingestInput(['2015']), changes, async ({ handle }) => {
      const { status, table } = await handle.result();
      assert.equal(status, 'published');
      assert.ok(table && 'error' in table);
      assert.equal(table.error.code, 'TABLE_FOREIGN_COMMIT');
    });
  });

  it('lands and converts nothing for an unchanged source', async () => {
    const changes: Partial<Activities> = {
      probeSource: async ({ source }) => ({
        result: sourceResult(source.id, 'unchanged'),
      }),
    };
    await ingest(ingestInput(['2015']), changes, async ({ calls, handle }) => {
      await handle.result();
      assert.deepEqual(calls, [
        'openSnapshot',
        'probeSource/2015',
        'publishSnapshot',
        'syncTable',
        'cleanUp',
      ]);
      await keep('unchanged', handle);
    });
  });

  it('on a retry takes finished sources as they are', async () => {
    const changes: Partial<Activities> = {
      openSnapshot: async (input) => ({
        ...opened(input),
        finished: [sourceResult('2015', 'converted')],
      }),
    };
    const input = ingestInput(['2015', '2019'], { retry: true });
    await ingest(input, changes, async ({ calls, handle }) => {
      await handle.result();
      assert.ok(!calls.includes('probeSource/2015'));
      assert.ok(calls.includes('verifySource/2019'));
    });
  });

  it('does one half only when asked for it', async () => {
    await ingest(ingestInput(['2015'], { mode: 'land' }), {}, async ({ calls, handle }) => {
      assert.equal((await handle.result()).status, 'landed');
      assert.deepEqual(calls.slice(0, 3), ['openSnapshot', 'probeSource/2015', 'landSource/2015']);
      assert.ok(!calls.includes('convertSource/2015'));
    });
    await ingest(ingestInput(['2015'], { mode: 'convert' }), {}, async ({ calls, handle }) => {
      assert.equal((await handle.result()).status, 'published');
      assert.ok(!calls.includes('probeSource/2015') && calls.includes('findLanding/2015'));
    });
  });

  it('when cancelled waits for the attempt to stop, and keeps what it downloaded unless asked to discard it', async () => {
    for (const discard of [true, false]) await cancelDuringLanding(discard);
  });

  async function cancelDuringLanding(discard: boolean): Promise<void> {
    const started = gate();
    let stopped = false;
    let discarded: { discardPartials: boolean; afterStop: boolean } | undefined;
    const changes: Partial<Activities> = {
      landSource: async () => {
        started.open();
        return await heartbeatUntilCancelled().finally(() => (stopped = true));
      },
      cleanUp: async ({ discardPartials }) => {
        discarded = { discardPartials, afterStop: stopped };
        return {};
      },
    };
    const input = ingestInput(['2015'], { heartbeatTimeoutMs: 30_000 });
    await ingest(input, changes, async ({ handle }) => {
      await started.opened;
      if (discard) await handle.signal('discardDownloads');
      await handle.cancel();
      await assert.rejects(handle.result(), WorkflowFailedError);
      assert.equal((await handle.describe()).status.name, 'CANCELLED');
      assert.deepEqual(discarded, { discardPartials: discard, afterStop: true });
      await keep('cancelled', handle);
    });
  }
});

/** A history as `temporal workflow show --output json` writes it. */
interface History {
  events: [{ workflowExecutionStartedEventAttributes: { workflowId: string } }];
}

describe('recorded histories', () => {
  it('replay on this code', async () => {
    const names = await readdir(HISTORIES);
    assert.ok(names.length > 0);
    for (const name of names) {
      const history = JSON.parse(await readFile(new URL(name, HISTORIES), 'utf8')) as History;
      // The id of a run names its day, so the test replays the run under its own id.
      const { workflowId } = history.events[0].workflowExecutionStartedEventAttributes;
      await temporal.replay(history, workflowId);
    }
  });
});
