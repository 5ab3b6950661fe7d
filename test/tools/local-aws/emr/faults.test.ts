import {
  AddJobFlowStepsCommand,
  ListClustersCommand,
  ListStepsCommand,
  RunJobFlowCommand,
  type RunJobFlowInput,
} from '@aws-sdk/client-emr';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EmrFaults } from '../../../../tools/local-aws/faults.ts';
import {
  create,
  smallCluster,
  statesOf,
  stepOf,
  untilState,
  withQuickEmr,
  type QuickEmr,
} from './quick-emr.ts';

const ENDED = ['TERMINATED', 'TERMINATED_WITH_ERRORS'];

describe('a fault that was asked for', () => {
  it('throttles as often as it says, and does nothing then', async () => {
    await withFaults({ throttle: { RunJobFlow: 2 } }, async ({ client }) => {
      const request = new RunJobFlowCommand(smallCluster());
      for (let call = 0; call < 2; call += 1) {
        await assert.rejects(client.send(request), { name: 'ThrottlingException' });
      }
      assert.deepEqual((await client.send(new ListClustersCommand({}))).Clusters, []);
      await client.send(request);
    });
  });

  it('loses the answer, and the cluster and the step are there', async () => {
    await withFaults({ loseAnswer: { RunJobFlow: 1, AddJobFlowSteps: 1 } }, async ({ client }) => {
      await assert.rejects(client.send(new RunJobFlowCommand(smallCluster({ Name: 'lost' }))));
      const { Clusters = [] } = await client.send(new ListClustersCommand({}));
      assert.deepEqual(
        Clusters.map(({ Name }) => Name),
        ['lost'],
      );
      const id = Clusters[0]?.Id;
      const steps = new AddJobFlowStepsCommand({ JobFlowId: id, Steps: [stepOf('lost', 'ok')] });
      await assert.rejects(client.send(steps));
      const { Steps = [] } = await client.send(new ListStepsCommand({ ClusterId: id }));
      assert.deepEqual(
        Steps.map(({ Name }) => Name),
        ['lost'],
      );
    });
  });

  it('of capacity, subnet or bootstrap ends the cluster, each with its reason', async () => {
    const cases: [EmrFaults, string, RegExp][] = [
      [{ noCapacity: 1 }, 'INSTANCE_FAILURE', /Insufficient capacity.* m5\.xlarge/],
      [{ bootstrapFailure: 1 }, 'BOOTSTRAP_FAILURE', /bootstrap action 1 returned a non-zero/],
      [{}, 'VALIDATION_ERROR', /The subnet subnet-0123456789abcdef0 does not exist/],
    ];
    for (const [faults, code, message] of cases) {
      await withFaults(faults, async ({ client, machines }) => {
        const isSubnet = Object.keys(faults).length === 0;
        const instances = isSubnet ? { Ec2SubnetId: 'subnet-0123456789abcdef0' } : {};
        const id = await create(client, { Instances: instances });
        const { cluster } = await untilState(client, id, ENDED);
        assert.equal(cluster.Status?.State, 'TERMINATED_WITH_ERRORS');
        assert.equal(cluster.Status.StateChangeReason?.Code, code);
        assert.match(cluster.Status.StateChangeReason.Message ?? '', message);
        assert.equal(cluster.Status.Timeline?.ReadyDateTime, undefined);
        assert.equal(machines.size, 0);
      });
    }
  });

  it('of spot instances falls back to on-demand, or ends the cluster, as its fleet says', async () => {
    const fleet = (
      TimeoutAction: 'SWITCH_TO_ON_DEMAND' | 'TERMINATE_CLUSTER',
    ): Partial<RunJobFlowInput> => {
      const spot = { TimeoutAction, TimeoutDurationMinutes: 5 };
      const core = {
        InstanceFleetType: 'CORE',
        TargetSpotCapacity: 2,
        LaunchSpecifications: { SpotSpecification: spot },
      };
      const fleets = [{ InstanceFleetType: 'MASTER', TargetOnDemandCapacity: 1 }, core];
      return {
        Instances: { InstanceGroups: undefined, InstanceFleets: fleets },
      } as Partial<RunJobFlowInput>;
    };
    await withFaults({ spotNotGranted: { count: 2, ms: 5 } }, async ({ client }) => {
      await untilState(client, await create(client, fleet('SWITCH_TO_ON_DEMAND')), ['WAITING']);
      const { cluster } = await untilState(
        client,
        await create(client, fleet('TERMINATE_CLUSTER')),
        ENDED,
      );
      assert.equal(cluster.Status?.StateChangeReason?.Code, 'INSTANCE_FLEET_TIMEOUT');
    });
  });

  it('loses the spot nodes in mid-step: the step is interrupted, and the cluster is gone', async () => {
    await withFaults({ spotLoss: { count: 1, afterMs: 20 } }, async ({ client, machines }) => {
      const id = await create(client, { Steps: [stepOf('one', 'wait'), stepOf('two', 'ok')] });
      const { cluster } = await untilState(client, id, ENDED);
      assert.equal(cluster.Status?.State, 'TERMINATED_WITH_ERRORS');
      assert.equal(cluster.Status.StateChangeReason?.Code, 'INSTANCE_FAILURE');
      assert.match(cluster.Status.StateChangeReason.Message ?? '', /due to Spot/);
      assert.deepEqual(await statesOf(client, id), ['INTERRUPTED', 'CANCELLED']);
      assert.equal(machines.size, 0);
    });
  });

  it('starts one cluster late, and the next one at once', async () => {
    const slowStart = { count: 1, ms: 3_600_000 };
    await withFaults({ slowStart }, async ({ client }) => {
      const late = await create(client, {});
      // The late cluster takes the fault when its provisioning ends, and the next one comes after it.
      while (slowStart.count > 0) await sleep(2);
      await untilState(client, await create(client, {}), ['WAITING']);
      assert.deepEqual((await untilState(client, late, ['STARTING'])).seen, ['STARTING']);
    });
  });

  it('lets a step hang', async () => {
    await withFaults({ hang: 1 }, async ({ client, started }) => {
      const id = await create(client, { Steps: [stepOf('one', 'ok'), stepOf('two', 'ok')] });
      while ((await statesOf(client, id))[0] !== 'RUNNING') await sleep(2);
      assert.deepEqual(started, ['one']);
      assert.deepEqual(await statesOf(client, id), ['RUNNING', 'PENDING']);
    });
  });

  it('leaves no room for a step while other clients have theirs, and then it does', async () => {
    await withFaults({ stepsOpen: { count: 1, steps: 256, ms: 200 } }, async ({ client }) => {
      const id = await create(client, {});
      const request = { JobFlowId: id, Steps: [stepOf('mine', 'ok')] };
      const add = async (): Promise<unknown> =>
        await client.send(new AddJobFlowStepsCommand(request));
      await assert.rejects(add(), { message: /A maximum of 256 steps are allowed/ });
      while (
        await add().then(
          () => false,
          () => true,
        )
      )
        await sleep(5);
      const other = await create(client, {});
      await client.send(new AddJobFlowStepsCommand({ ...request, JobFlowId: other }));
    });
  });

  it('may be asked for while the server runs', async () => {
    await withFaults({}, async (emr) => {
      await untilState(emr.client, await create(emr.client, {}), ['WAITING']);
      emr.faults = { throttle: { ListClusters: 1 } };
      await assert.rejects(emr.client.send(new ListClustersCommand({})), {
        name: 'ThrottlingException',
      });
    });
  });
});

async function withFaults(
  faults: EmrFaults,
  body: (emr: QuickEmr) => Promise<void>,
): Promise<void> {
  await withQuickEmr(body, { faults, subnets: [] });
}
