import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { DescribeClusterCommand, RunJobFlowCommand, TerminateJobFlowsCommand } from '@aws-sdk/client-emr';
import { DuckDBInstance } from '@duckdb/node-api';
import { startEmrWorld, withEmrLab, type EmrWorld } from '../helpers/emr-lab.ts';
import type { Lab } from '../helpers/lab.ts';
import { bucketContents } from '../helpers/s3-lab.ts';

const SAMPLES = resolve(import.meta.dirname, '../../../shared/data');
const CSV = `id,text,when\r\n${Array.from({ length: 500 }, (_, n) => `${n},"line ${n}\nmore",${(n % 12) + 1}/2/2023`).join('\r\n')}\r\n`;
const ROUTES = { '/a.csv': { body: CSV, etag: '"1"' } };
const DAY = '2026-11-20';

interface Run {
  status: string;
  runId: string;
  ledger: { records: number; rows: number; balanced: boolean };
  sources: { id: string; parquet: { path: string; rows: number }[] }[];
  emr?: { clusterId: string; output: string };
}

interface Failure {
  error: { code: string; message: string; hint: string; log?: { uri: string; lines: string[] } };
}

let world: EmrWorld;
before(async () => {
  world = await startEmrWorld();
});
after(async () => await world?.close());
afterEach(() => {
  world.emr.faults = {};
});

async function oneSource(lab: Lab, name = 'things'): Promise<void> {
  await lab.datasets({ [name]: { a: lab.origin.address('/a.csv') } });
}

const INGEST = ['ingest', 'things', '--date', DAY];

/** Nothing that costs, and nothing of the run in its lake but its landing. */
async function assertNothingLeft(prefix: string): Promise<void> {
  assert.deepEqual(await world.liveClusters(), []);
  const { keys, uploads } = await bucketContents(world.s3);
  const left = keys.filter((key) => key.startsWith(`${prefix}/converted/`) && !key.includes('_emr-logs'));
  assert.deepEqual(left, []);
  assert.deepEqual(uploads, []);
}

async function failing(
  setup: { env?: Record<string, string> },
  faults: EmrWorld['emr']['faults'],
): Promise<Failure['error']> {
  let error: Failure['error'] | undefined;
  await withEmrLab(world, { routes: ROUTES, ...setup }, async (lab, prefix) => {
    await oneSource(lab);
    world.emr.faults = faults;
    const { json, code, stdout, stderr } = await lab.json<Failure>(INGEST);
    assert.notEqual(code, 0, stdout + stderr);
    ({ error } = json);
    await assertNothingLeft(prefix);
  });
  return error ?? assert.fail('no error');
}

describe('the engine emr', () => {
  it('asks for a lake in S3 before anything starts', async () => {
    await withEmrLab(world, { routes: ROUTES }, async (lab) => {
      await oneSource(lab);
      const { json, code } = await lab.json<Failure>([...INGEST, '--target', 'disk']);
      assert.deepEqual([code, json.error.code], [2, 'EMR_NEEDS_S3']);
      assert.deepEqual(await world.liveClusters(), []);
    });
  });

  it('is refused what could cost too much, and roles, before a cluster is there', async () => {
    const dear = await failing({ env: { EMR_CORE_COUNT: '500' } }, {});
    assert.equal(dear.code, 'EMR_TOO_EXPENSIVE');
    assert.match(dear.message, /501 instances for up to 0\.1 hours/);
    const role = await failing({ env: { EMR_SERVICE_ROLE: 'nobody' } }, {});
    assert.equal(role.code, 'EMR_REFUSED');
    assert.match(role.message, /nobody is invalid/);
  });

  it('says why a cluster did not come to be, and leaves none', async () => {
    const limits = { EMR_PROVISIONING_LIMIT_MINUTES: '0.03' };
    const slow = await failing({ env: limits }, { slowStart: { count: 9, ms: 60_000 } });
    assert.equal(slow.code, 'EMR_PROVISIONING_TIMED_OUT');
    assert.match(slow.message, /Provisioning Amazon EC2 capacity/);
    const none = await failing({}, { noCapacity: 9 });
    assert.equal(none.code, 'EMR_NO_CAPACITY');
    const bootstrap = await failing(
      { env: { EMR_BOOTSTRAP_ACTIONS: `s3://${world.s3.bucket}/setup.sh` } },
      { bootstrapFailure: 1 },
    );
    assert.equal(bootstrap.code, 'EMR_BOOTSTRAP_FAILED');
  });
});
