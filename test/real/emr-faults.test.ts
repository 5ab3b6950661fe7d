import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CancelStepsCommand,
  ListClustersCommand,
  ListStepsCommand,
  RunJobFlowCommand,
  TerminateJobFlowsCommand,
} from '@aws-sdk/client-emr';
import { loadSettings } from '../../src/config/load-settings.ts';
import { clusterRequest } from '../../src/emr/cluster-request.ts';
import type { SweepResult } from '../../src/model/sweep.ts';
import { startEmrWorld, withEmrLab, type EmrWorld } from '../helpers/emr-lab.ts';
import type { Lab } from '../helpers/lab.ts';
import { bucketContents } from '../helpers/s3-lab.ts';

const ROUTES = { '/a.csv': { body: 'id,text\r\n1,"a\nb"\r\n2,c\r\n', etag: '"1"' } };
const DAY = '2026-11-20';

interface Failure {
  error: { code: string; message: string };
}

let world: EmrWorld;
before(async () => {
  world = await startEmrWorld();
});
after(async () => await world?.close());
afterEach(() => {
  world.emr.faults = {};
});

/** Each run has a dataset of its own. */
async function withDatasets(
  names: string[],
  env: Record<string, string>,
  body: (lab: Lab, prefix: string) => Promise<void>,
): Promise<void> {
  await withEmrLab(world, { routes: ROUTES, env }, async (lab, prefix) => {
    const source = { a: lab.origin.address('/a.csv') };
    await lab.datasets(Object.fromEntries(names.map((name) => [name, source])));
    await body(lab, prefix);
    await assertNothingLeft(prefix);
  });
}

/** Nothing that costs, and nothing in the converted zone but logs. */
async function assertNothingLeft(prefix: string): Promise<void> {
  assert.deepEqual(await world.liveClusters(), []);
  const { keys, uploads } = await bucketContents(world.s3);
  const zone = `${prefix}/converted/`;
  const left = keys.filter((key) => key.startsWith(zone) && !key.includes('_emr-logs'));
  assert.deepEqual([left, uploads], [[], []]);
}

function ingest(name: string): string[] {
  return ['ingest', name, '--date', DAY, '--json'];
}

async function errorOf(lab: Lab, name: string): Promise<Failure['error']> {
  const { json, code, stdout, stderr } = await lab.json<Failure>(ingest(name).slice(0, -1));
  assert.notEqual(code, 0, stdout + stderr);
  return json.error;
}

/** Every cluster that was ever made for a dataset. */
async function clustersOf(name: string): Promise<string[]> {
  const { Clusters = [] } = await world.client.send(new ListClustersCommand({}));
  return Clusters.filter(({ Name }) => Name?.startsWith(`longhaul/${name}/`)).map(
    ({ Id = '' }) => Id,
  );
}

/** The one cluster of a dataset, and its one step, once that runs. */
async function runningStep(name: string): Promise<{ cluster: string; step: string }> {
  for (;;) {
    const [cluster, ...others] = await clustersOf(name);
    assert.deepEqual(others, [], 'one cluster');
    if (cluster !== undefined) {
      const { Steps = [] } = await world.client.send(new ListStepsCommand({ ClusterId: cluster }));
      assert.ok(Steps.length <= 1, 'one step');
      if (Steps[0]?.Status?.State === 'RUNNING') return { cluster, step: Steps[0].Id ?? '' };
    }
    await sleep(100);
  }
}

describe('a run on EMR that goes wrong', () => {
  it('before anything is made: a lake on a disk, too many hours, no such role', async () => {
    await withDatasets(['disk', 'role'], { EMR_SERVICE_ROLE: 'nobody' }, async (lab) => {
      const { json, code } = await lab.json<Failure>(['ingest', 'disk', '--target', 'disk']);
      assert.deepEqual([code, json.error.code], [2, 'EMR_NEEDS_S3']);
      const role = await errorOf(lab, 'role');
      assert.equal(role.code, 'EMR_REFUSED');
      assert.match(role.message, /nobody is invalid/);
    });
    await withDatasets(['dear'], { EMR_CORE_COUNT: '500' }, async (lab) => {
      const dear = await errorOf(lab, 'dear');
      assert.equal(dear.code, 'EMR_TOO_EXPENSIVE');
      assert.match(dear.message, /501 instances/);
      assert.deepEqual(await clustersOf('dear'), []);
    });
  });

  it('while its cluster comes to be: capacity, time, bootstrap', async () => {
    const env = {
      EMR_PROVISIONING_LIMIT_MINUTES: '0.05',
      EMR_BOOTSTRAP_ACTIONS: `s3://${world.s3.bucket}/setup.sh`,
    };
    await withDatasets(['capacity', 'slow', 'bootstrap'], env, async (lab) => {
      world.emr.faults = { noCapacity: 9 };
      assert.equal((await errorOf(lab, 'capacity')).code, 'EMR_NO_CAPACITY');
      assert.equal((await clustersOf('capacity')).length, 3);
      world.emr.faults = { slowStart: { count: 9, ms: 60_000 } };
      const slow = await errorOf(lab, 'slow');
      assert.equal(slow.code, 'EMR_PROVISIONING_TIMED_OUT');
      assert.match(slow.message, /Provisioning Amazon EC2 capacity/);
      world.emr.faults = { bootstrapFailure: 1 };
      assert.equal((await errorOf(lab, 'bootstrap')).code, 'EMR_BOOTSTRAP_FAILED');
    });
  });

  it('while its step runs: it hangs, somebody ends it or its cluster', async () => {
    const env = { EMR_STEP_LIMIT_MINUTES: '0.1' };
    await withDatasets(['hangs', 'step', 'cluster'], env, async (lab) => {
      world.emr.faults = { hang: 9 };
      const hang = await errorOf(lab, 'hangs');
      assert.equal(hang.code, 'EMR_STEP_TIMED_OUT');
      assert.match(hang.message, /it is RUNNING/);
      const cancelled = errorOf(lab, 'step');
      const { cluster, step } = await runningStep('step');
      const command = { ClusterId: cluster, StepIds: [step] };
      await world.client.send(
        new CancelStepsCommand({ ...command, StepCancellationOption: 'TERMINATE_PROCESS' }),
      );
      assert.equal((await cancelled).code, 'EMR_STEP_CANCELLED');
      const terminated = errorOf(lab, 'cluster');
      const other = await runningStep('cluster');
      await world.client.send(new TerminateJobFlowsCommand({ JobFlowIds: [other.cluster] }));
      assert.equal((await terminated).code, 'EMR_CLUSTER_ENDED');
    });
  });

  it('in its answers: lost ones and "too often" make no second cluster; Ctrl-C ends the one', async () => {
    await withDatasets(['lost'], {}, async (lab) => {
      world.emr.faults = {
        hang: 9,
        loseAnswer: { RunJobFlow: 1, AddJobFlowSteps: 1, DescribeCluster: 1 },
        throttle: { RunJobFlow: 1, DescribeCluster: 2, ListSteps: 1, TerminateJobFlows: 1 },
      };
      const running = lab.start(ingest('lost'));
      await runningStep('lost');
      running.process.kill('SIGINT');
      const { code, stdout, stderr } = await running.ended;
      assert.equal(code, 130, stdout + stderr);
      assert.equal((await clustersOf('lost')).length, 1);
    });
  });

  it('with its worker and Temporal killed goes on where it was, on the same cluster', async () => {
    await withDatasets(['killed'], { HEARTBEAT_TIMEOUT_SECONDS: '2' }, async (lab) => {
      world.emr.faults = { hang: 9 };
      const running = lab.start(ingest('killed'));
      const { cluster } = await runningStep('killed');
      const file = await readFile(join(lab.dataDir, '.longhaul', 'host.json'), 'utf8');
      process.kill((JSON.parse(file) as { pid: number }).pid, 'SIGKILL');
      running.process.kill('SIGKILL');
      await running.ended;
      assert.deepEqual(await world.liveClusters(), [cluster]);
      // Whoever asks next starts both again; the run is under way still.
      const cancelled = await lab.json<{ status: string }>(['cancel', `killed/${DAY}`]);
      assert.equal(cancelled.json.status, 'CANCELLED', cancelled.stderr);
      assert.deepEqual(await clustersOf('killed'), [cluster]);
    });
  });

  it('and dies leaves its cluster to the sweep, which ends no other', async () => {
    await withDatasets(['swept'], {}, async (lab, prefix) => {
      world.emr.faults = { bootstrapFailure: 1 };
      assert.equal((await errorOf(lab, 'swept')).code, 'EMR_BOOTSTRAP_FAILED');
      const { json } = await lab.json<{ runs: { runId: string }[] }>(['runs']);
      const name = {
        ...{ dataset: 'swept', ingestDate: DAY, runId: json.runs[0]?.runId ?? '', generation: 2 },
      };
      const { emr } = loadSettings({ env: {}, cwd: lab.folder });
      const make = async (lake: string, runId = name.runId): Promise<string> => {
        const request = clusterRequest(emr, { ...name, runId }, { logUri: `${lake}logs/`, lake });
        return (await world.client.send(new RunJobFlowCommand(request))).JobFlowId ?? '';
      };
      const lake = `s3://${world.s3.bucket}/${prefix}/converted/`;
      const [ours, foreign] = [await make(lake), await make('s3://another-lake/')];
      const look = await lab.json<SweepResult>(['sweep', '--older-than', '0', '--dry-run']);
      const found = look.json.items.filter(({ kind }) => kind === 'cluster');
      assert.deepEqual(
        found.map(({ key, outcome }) => [key.split(' ')[0], outcome]),
        [[ours, 'would-remove']],
        look.stdout,
      );
      assert.equal((await world.liveClusters()).length, 2);
      const swept = await lab.run(['sweep', '--older-than', '0']);
      assert.equal(swept.code, 0, swept.stderr);
      assert.deepEqual(await world.liveClusters(), [foreign]);
      await world.client.send(new TerminateJobFlowsCommand({ JobFlowIds: [foreign] }));
    });
  });
});
