import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { msNumberToTs } from '@temporalio/common/lib/time.js';
import { freePort } from '../../src/embedded/loopback.ts';
import type { Readiness } from '../../src/workers/serve-worker.ts';
import { startGrpcProxy } from '../helpers/grpc-proxy.ts';
import { withLab, type Lab, type Running } from '../helpers/lab.ts';
import type { Answer, SeenRequest } from '../helpers/origin.ts';
import { freeNamespace, TestTemporal } from '../helpers/temporal.ts';

const RECORD = `1,${'x'.repeat(97)}\n`;
const RECORDS = 40_000;
const BODY = `id,text\n${RECORD.repeat(RECORDS)}`;
const HALF_BYTES = 2_000_000;

interface Run {
  status: string;
  ledger: { rows: number };
}

const temporal = new TestTemporal();

// Each test has its own lake.
afterEach(async () => {
  await freeNamespace(temporal.client);
});

/** An answer that stops half-way until the test lets it go on. */
function heldAnswer(): { answer: Answer; letGo: () => void } {
  let letGo = (): void => undefined;
  const until = new Promise<void>((resolve) => (letGo = resolve));
  return {
    answer: { body: BODY, etag: '"1"', pauseAfterBytes: { bytes: HALF_BYTES, until } },
    letGo,
  };
}

/** A busy machine needs this long to start a worker. */
const WAIT_LIMIT_MS = 120_000;

/** Polls, because the condition depends on another process. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = Date.now() + WAIT_LIMIT_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < end, 'it never came to that');
    await sleep(20);
  }
}

async function readiness(port: number): Promise<{ http: number; body: Readiness } | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    return { http: answer.status, body: (await answer.json()) as Readiness };
  } catch {
    return undefined;
  }
}

function env(more: Record<string, string> = {}): Record<string, string> {
  return {
    TEMPORAL_ADDRESS: temporal.address,
    ALLOW_PRIVATE_ADDRESSES: 'true',
    // The publisher holds an answer. The worker must not take this for a stall.
    HTTP_STALL_TIMEOUT_SECONDS: '60',
    HEARTBEAT_TIMEOUT_SECONDS: '3',
    SOURCE_RETRY_MINUTES: '5',
    ...more,
  };
}

async function stop(worker: Running): Promise<void> {
  worker.process.kill('SIGTERM');
  assert.equal((await worker.ended).code, 0);
}

describe('a worker that is asked to end', () => {
  it('hands a download over where it was; a second signal ends it at once', async () => {
    const healthPort = await freePort();
    const holds = [heldAnswer(), heldAnswer()] as const;
    // The first request is the probe.
    const route = (request: number): Answer =>
      request === 1
        ? { body: BODY, etag: '"1"' }
        : (holds[request - 2]?.answer ?? { body: BODY, etag: '"1"' });
    await withLab({ routes: { '/a.csv': route }, env: env(), up: false }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const sent = (nth: number): number => lab.origin.requestsTo('/a.csv')[nth]?.bytesSent ?? 0;
      const ingest = lab.start(['ingest', 'things', '--json']);

      const hasty = lab.start(['worker'], { env: { WORKER_GRACE_SECONDS: '600' } });
      await until(() => sent(1) >= HALF_BYTES);
      hasty.process.kill('SIGTERM');
      await hasty.says(/Stopping/);
      hasty.process.kill('SIGTERM');
      assert.equal((await hasty.ended).code, 130);

      const orderly = lab.start(['worker'], {
        // In this time, the bytes that were sent arrive, even on a busy machine.
        env: { WORKER_GRACE_SECONDS: '5', WORKER_HEALTH_ADDRESS: String(healthPort) },
      });
      await until(() => sent(2) > 0 && lab.origin.requestsTo('/a.csv').length > 2);
      await until(() => holdsHalf(lab));
      orderly.process.kill('SIGTERM');
      await orderly.says(/Stopping/);
      const seen = await readiness(healthPort);
      assert.deepEqual([seen?.http, seen?.body.status], [503, 'stopping']);
      assert.equal((await orderly.ended).code, 0);

      const last = lab.start(['worker']);
      const { code, stdout, stderr } = await ingest.ended;
      assert.equal(code, 0, stdout + stderr);
      assert.equal((JSON.parse(stdout) as Run).ledger.rows, RECORDS);
      await stop(last);
      const resumed = lab.origin.requestsTo('/a.csv').at(-1);
      const from = Number(/^bytes=(\d+)-$/.exec(resumed?.range ?? '')?.[1]);
      assert.ok(from >= 1_000_000, `went on at ${resumed?.range}`);
      for (const { letGo } of holds) letGo();
    });
  });
});

/** True if the origin has sent half of the file's bytes in its last answer, wherever that answer starts. */
function holdsHalf(lab: Lab): boolean {
  return (lab.origin.requestsTo('/a.csv').at(-1)?.bytesSent ?? 0) >= HALF_BYTES;
}

describe('a worker that is watched', () => {
  it('says when it is ready, what it did in Prometheus’s words, and a line of JSON an event', async () => {
    const [healthPort, metricsPort] = [await freePort(), await freePort()];
    const routes = { '/a.csv': { body: BODY } };
    await withLab({ routes, env: env(), up: false }, async (lab) => {
      await lab.datasets({ watched: { a: lab.origin.address('/a.csv') } });
      const worker = lab.start(['worker'], {
        env: { WORKER_HEALTH_ADDRESS: String(healthPort), METRICS_ADDRESS: String(metricsPort) },
      });
      const statuses = new Set<string | undefined>();
      await until(async () => {
        const seen = await readiness(healthPort);
        statuses.add(seen && `${seen.http} ${seen.body.status}`);
        return seen?.http === 200;
      });
      assert.deepEqual([...statuses].filter(Boolean).slice(-2), ['503 starting', '200 ready']);
      const live = await fetch(`http://127.0.0.1:${healthPort}/livez`);
      assert.equal(live.status, 200);
      const { code } = await lab.run(['ingest', 'watched']);
      assert.equal(code, 0);
      await until(async () =>
        (await scrape(metricsPort)).includes('longhaul_snapshot_age_seconds{'),
      );
      const page = await scrape(metricsPort);
      const of = (name: string, stage: string): number =>
        Number(
          new RegExp(
            `^${name}\\{[^}]*dataset="watched"[^}]*source="a"[^}]*${stage}[^}]*\\} (\\d+)$`,
            'm',
          ).exec(page)?.[1],
        );
      assert.equal(of('longhaul_bytes_total', 'stage="land"'), BODY.length);
      assert.equal(of('longhaul_records_total', 'stage="land"'), RECORDS);
      assert.equal(of('longhaul_rows_total', ''), RECORDS);
      assert.equal(of('longhaul_rejected_rows_total', ''), 0);
      assert.match(page, /^longhaul_snapshot_age_seconds\{.*dataset="watched".*\} [\d.]+$/m);
      assert.match(page, /^temporal_worker_task_slots_available\{/m);
      worker.process.kill('SIGTERM');
      const { stderr } = await worker.ended;
      const entries = stderr
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const names = new Set(entries.map((entry) => entry['dataset']));
      assert.deepEqual([...names].filter(Boolean), ['watched']);
      const landed = entries.find(({ message }) => message === 'landSource done');
      const { run, dataset, source, activity, level } = landed ?? {};
      assert.match(String(run), /^[\da-f-]{36}$/);
      assert.deepEqual([dataset, source, activity, level], ['watched', 'a', 'landSource', 'info']);
    });
  });

  it('says so where it cannot listen', async () => {
    const proxy = await startGrpcProxy({ target: temporal.address });
    const taken = proxy.address.split(':')[1] ?? '';
    try {
      for (const key of ['WORKER_HEALTH_ADDRESS', 'METRICS_ADDRESS']) {
        await withLab({ env: env({ [key]: taken }), up: false }, async (lab) => {
          const { code, stderr } = await lab.run(['worker']);
          assert.equal(code, 2, stderr);
          assert.match(
            stderr,
            new RegExp(`CONFIG_INVALID: .* cannot be served at ${key} 127.0.0.1:${taken}`),
          );
        });
      }
    } finally {
      await proxy.close();
    }
  });
});

async function scrape(port: number): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

describe('a Temporal server that goes away', () => {
  it('is waited for: by the worker, which says that it is cut off, and by the command that follows the run', async () => {
    const healthPort = await freePort();
    const hold = heldAnswer();
    const proxy = await startGrpcProxy({ target: temporal.address });
    const route = (request: number): Answer =>
      request === 1 ? { body: BODY, etag: '"1"' } : hold.answer;
    try {
      await withLab({ routes: { '/a.csv': route }, env: env(), up: false }, async (lab) => {
        await lab.datasets({ patient: { a: lab.origin.address('/a.csv') } });
        const worker = lab.start(['worker'], {
          env: { WORKER_HEALTH_ADDRESS: String(healthPort), TEMPORAL_ADDRESS: proxy.address },
        });
        const ingest = lab.start([
          'ingest',
          'patient',
          '--date',
          '2026-03-07',
          '--as-if',
          '--json',
        ]);
        await until(() => (lab.origin.requestsTo('/a.csv')[1]?.bytesSent ?? 0) >= HALF_BYTES);
        const follow = lab.start(['show', 'patient/2026-03-07', '--follow'], {
          env: { TEMPORAL_ADDRESS: proxy.address },
        });
        await follow.says(/patient\/2026-03-07 a: land/);
        await proxy.goAway();
        await until(async () => (await readiness(healthPort))?.body.status === 'disconnected');
        hold.letGo();
        await proxy.back();
        await until(async () => (await readiness(healthPort))?.body.status === 'ready');
        const { code, stdout, stderr } = await ingest.ended;
        assert.equal(code, 0, stdout + stderr);
        assert.equal((JSON.parse(stdout) as Run).ledger.rows, RECORDS);
        const followed = await follow.ended;
        assert.equal(followed.code, 0, followed.stdout + followed.stderr);
        assert.match(followed.stdout, /published as revision 1/);
        await stop(worker);
      });
    } finally {
      hold.letGo();
      await proxy.close();
    }
  });
});

/** Holds every request until this many have come. */
function gate(wanted: number) {
  let there = 0;
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return {
    pass: async (): Promise<void> => {
      there += 1;
      if (there >= wanted) open();
      await opened;
    },
    isOpen: (): boolean => there >= wanted,
    opened,
  };
}

describe('three workers on one machine', () => {
  it('share the sources of several datasets; one is killed, and every dataset is published', async () => {
    const names = ['one', 'two', 'three', 'four'];
    // Each worker has one slot, so three downloads at once show that three workers download.
    const all = gate(3);
    const survivors = gate(2);
    const route = (_: number, { range }: SeenRequest): Answer => {
      const isProbe = /^bytes=0-\d+$/.test(range ?? '');
      const until = isProbe ? Promise.resolve() : (all.isOpen() ? survivors : all).pass();
      return { body: BODY, etag: '"1"', pauseAfterBytes: { bytes: HALF_BYTES, until } };
    };
    const routes = Object.fromEntries(
      names.flatMap((name) => ['a', 'b'].map((id) => [`/${name}-${id}.csv`, route])),
    );
    const more = { TRANSFER_SLOTS: '1', CONVERT_SLOTS: '1' };
    await withLab({ routes, env: env(more), up: false }, async (lab) => {
      const sources = names.map((name) => [
        name,
        { a: lab.origin.address(`/${name}-a.csv`), b: lab.origin.address(`/${name}-b.csv`) },
      ]);
      await lab.datasets(Object.fromEntries(sources) as Record<string, Record<string, string>>);
      const workers = [1, 2, 3].map(() => lab.start(['worker']));
      await Promise.all(workers.map(async (worker) => await worker.says(/Working for/)));
      assert.equal((await lab.run(['ingest', ...names, '--detach'])).code, 0);
      await all.opened;
      workers[0]?.process.kill('SIGKILL');
      await until(async () => (await lab.published()).length === names.length);
      const rows = (await lab.published()).map(({ ledger }) => ledger.rows);
      assert.deepEqual(
        rows,
        [2, 2, 2, 2].map((each) => each * RECORDS),
      );
      for (const worker of workers.slice(1)) {
        await worker.says(/landSource done/);
        await stop(worker);
      }
    });
  });
});

describe('a worker with a version', () => {
  it('takes no run before it is current; then a run under way goes over to it', async () => {
    const namespace = 'versions';
    const { workflowService } = temporal.connection;
    await workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msNumberToTs(86_400_000),
    });
    const makeCurrent = async (buildId: string): Promise<void> => {
      const deploymentName = 'lake';
      await until(
        async () =>
          await workflowService
            .setWorkerDeploymentCurrentVersion({ namespace, deploymentName, buildId })
            .then(
              () => true,
              () => false,
            ),
      );
    };
    const hold = heldAnswer();
    const route = (request: number): Answer =>
      request === 2 ? hold.answer : { body: BODY, etag: '"1"' };
    const more = { TEMPORAL_NAMESPACE: namespace, WORKER_DEPLOYMENT_NAME: 'lake' };
    await withLab({ routes: { '/a.csv': route }, env: env(more), up: false }, async (lab) => {
      await lab.datasets({ versioned: { a: lab.origin.address('/a.csv') } });
      const older = lab.start(['worker'], {
        env: { WORKER_BUILD_ID: '1.0', WORKER_GRACE_SECONDS: '0' },
      });
      await older.says(/Working for/);
      const set = { env: { WORKER_BUILD_ID: '1.0' } };
      const ingest = lab.start(['ingest', 'versioned', '--json'], set);
      await makeCurrent('1.0');
      await until(() => (lab.origin.requestsTo('/a.csv')[1]?.bytesSent ?? 0) >= HALF_BYTES);
      assert.equal(await buildOf(namespace), '1.0');
      const newer = lab.start(['worker'], { env: { WORKER_BUILD_ID: '1.1' } });
      await newer.says(/Working for/);
      await makeCurrent('1.1');
      await stop(older);
      const { code, stdout, stderr } = await ingest.ended;
      assert.equal(code, 0, stdout + stderr);
      assert.equal(await buildOf(namespace), '1.1');
      await stop(newer);
      hold.letGo();
    });
  });
});

/** Id of the build that last worked on the only run. */
async function buildOf(namespace: string): Promise<string | null | undefined> {
  const { workflowService } = temporal.connection;
  const { executions } = await workflowService.listWorkflowExecutions({
    namespace,
    query: "WorkflowType = 'ingestDataset'",
  });
  const execution = executions[0]?.execution ?? null;
  const found = await workflowService.describeWorkflowExecution({ namespace, execution });
  return found.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId;
}
