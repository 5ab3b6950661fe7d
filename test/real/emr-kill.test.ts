import { ListStepsCommand } from '@aws-sdk/client-emr';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../src/embedded/loopback.ts';
import { sharedEmr } from '../helpers/emr-lab.ts';
import { startEmrProxy } from '../helpers/emr-proxy.ts';
import { clustersOf, DAY, killHost, runningStep, withDatasets } from '../helpers/emr-runs.ts';
import type { Lab } from '../helpers/lab.ts';

const shared = sharedEmr();

function ingest(name: string): string[] {
  return ['ingest', name, '--date', DAY, '--as-if', '--json'];
}

async function statusOf(lab: Lab): Promise<string | undefined> {
  const { json } = await lab.json<{ runs: { status: string }[] }>(['runs']);
  return json.runs[0]?.status;
}

async function metrics(port: number): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

describe('a run on EMR whose answers or worker are lost', () => {
  it('in its answers: lost ones and "too often" make no second cluster; Ctrl-C ends the one', async () => {
    const port = await freePort();
    await withDatasets(shared, ['lost'], { METRICS_ADDRESS: String(port) }, async (lab) => {
      shared.emr.faults = {
        hang: 9,
        loseAnswer: { RunJobFlow: 1, AddJobFlowSteps: 1, DescribeCluster: 1 },
        throttle: { RunJobFlow: 1, DescribeCluster: 2, ListSteps: 1, TerminateJobFlows: 1 },
      };
      const running = lab.start(ingest('lost'));
      const { cluster } = await runningStep(shared, 'lost');
      // Monitoring sees the cluster that costs money.
      while (!/^longhaul_open_clusters\b.* 1$/m.test(await metrics(port))) await sleep(100);
      running.process.kill('SIGINT');
      const { code, stdout, stderr } = await running.ended;
      assert.equal(code, 130, stdout + stderr);
      assert.deepEqual(await clustersOf(shared, 'lost'), [cluster]);
      const { Steps = [] } = await shared.client.send(new ListStepsCommand({ ClusterId: cluster }));
      assert.equal(Steps.length, 1);
    });
  });

  it('with its worker and Temporal killed goes on where it was, on the same cluster', async () => {
    await withDatasets(shared, ['killed'], { HEARTBEAT_TIMEOUT_SECONDS: '2' }, async (lab) => {
      shared.emr.faults = { hang: 9 };
      const running = lab.start(ingest('killed'));
      const { cluster } = await runningStep(shared, 'killed');
      await killHost(lab);
      running.process.kill('SIGKILL');
      await running.ended;
      assert.deepEqual(await shared.liveClusters(), [cluster]);
      // The run still goes on. `cancel` alone starts no worker that could end it.
      await lab.run(['up', '--background']);
      const cancelled = await lab.json<{ status: string }>(['cancel', `killed/${DAY}`]);
      assert.equal(cancelled.json.status, 'CANCELLED', cancelled.stderr);
      assert.deepEqual(await clustersOf(shared, 'killed'), [cluster]);
    });
  });

  it('whose worker is killed at each call, before it hears the answer, has one cluster, one step, one end', async () => {
    const proxy = await startEmrProxy(shared.emr.endpoint);
    const env = { HEARTBEAT_TIMEOUT_SECONDS: '2', AWS_ENDPOINT_URL_EMR: proxy.endpoint };
    try {
      await withDatasets(shared, ['calls'], env, async (lab) => {
        shared.emr.faults = { hang: 9 };
        const kill = async (): Promise<void> => await killHost(lab);
        let killed = proxy.afterNext('RunJobFlow', kill);
        const running = lab.start(ingest('calls'));
        await killed;
        running.process.kill('SIGKILL');
        await running.ended;
        for (const action of ['DescribeCluster', 'AddJobFlowSteps', 'ListSteps']) {
          killed = proxy.afterNext(action, kill);
          await lab.run(['up', '--background']);
          await killed;
        }
        await lab.run(['up', '--background']);
        const { cluster } = await runningStep(shared, 'calls');
        killed = proxy.afterNext('TerminateJobFlows', kill);
        // The worker dies during the command, so the test does not check the command's output.
        const cancelling = lab.run(['cancel', `calls/${DAY}`]);
        await killed;
        await cancelling;
        await lab.run(['up', '--background']);
        while ((await statusOf(lab)) === 'RUNNING') await sleep(200);
        assert.equal(await statusOf(lab), 'CANCELLED');
        assert.deepEqual(await clustersOf(shared, 'calls'), [cluster]);
      });
    } finally {
      await proxy.close();
    }
  });
});
