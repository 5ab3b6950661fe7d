import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { freePort } from '../../src/embedded/loopback.ts';
import { unpublish } from '../../src/lake/unpublish.ts';
import { watchSnapshotAges } from '../../src/workers/gauges.ts';
import { TinyLake } from '../lake/tiny-lake.ts';

/** Longest wait for a read of two manifests. */
const WAIT_LIMIT_MS = 30_000;

test('a dataset of which all was unpublished does not look fresh: its age is infinite, so that an alarm sees it', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const metrics = { prometheus: { bindAddress: address } };
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { metrics } });
  await using lake = await TinyLake.create();
  const { store: converted } = lake;
  for (const dataset of ['gone', 'there']) await lake.publish(dataset, '2026-01-01', []);
  const watch = watchSnapshotAges({ converted });
  try {
    const shown = async (dataset: string, age: RegExp): Promise<void> => {
      const line = new RegExp(`^\\S+\\{dataset="${dataset}"\\} ${age.source}$`, 'm');
      const end = Date.now() + WAIT_LIMIT_MS;
      for (;;) {
        const page = await (await fetch(`http://${address}/metrics`)).text();
        if (line.test(page)) return;
        assert.ok(Date.now() < end, page);
        await sleep(20);
      }
    };
    await shown('gone', /\d+\.?\d*/);
    const input = { dataset: 'gone', ingestDate: '2026-01-01', reason: 'x', by: 'y' };
    await unpublish({ raw: converted, converted }, { ...input, withLater: false });
    watch.lookSoon();
    await shown('gone', /inf/);
    await shown('there', /\d+\.?\d*/);
  } finally {
    await watch.stop();
  }
});
