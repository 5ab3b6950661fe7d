import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DescribeClusterCommand,
  ListStepsCommand,
  TerminateJobFlowsCommand,
  type InstanceFleetConfig,
} from '@aws-sdk/client-emr';
import type { SweepResult } from '../../src/model/sweep.ts';
import { sharedEmr, withEmrLab } from '../helpers/emr-lab.ts';

const ROUTES = { '/a.csv': { body: 'id,text\r\n1,"a\nb"\r\n2,c\r\n', etag: '"1"' } };
const DAY = '2026-11-20';

const InstanceTypeConfigs = [{ InstanceType: 'm7g.xlarge' }];
const FLEETS: InstanceFleetConfig[] = [
  { InstanceFleetType: 'MASTER', TargetOnDemandCapacity: 1, InstanceTypeConfigs },
  {
    InstanceFleetType: 'CORE',
    TargetSpotCapacity: 2,
    InstanceTypeConfigs,
    LaunchSpecifications: {
      SpotSpecification: { TimeoutDurationMinutes: 10, TimeoutAction: 'SWITCH_TO_ON_DEMAND' },
    },
  },
];

interface Run {
  status: string;
  ledger: { rows: number };
  emr: { clusterId: string };
}

const shared = sharedEmr();

/** Ids of all clusters in the progress lines. */
function clustersIn(text: string): string[] {
  return [...new Set(Array.from(text.matchAll(/EMR (j-\w+):/g), ([, id]) => id ?? ''))];
}

/** Asks EMR, because a cluster may be gone before the run has seen the end of its step. */
async function assertLost(id: string): Promise<void> {
  const { Cluster } = await shared.client.send(new DescribeClusterCommand({ ClusterId: id }));
  assert.equal(Cluster?.Status?.StateChangeReason?.Code, 'INSTANCE_FAILURE');
  const { Steps = [] } = await shared.client.send(new ListStepsCommand({ ClusterId: id }));
  assert.deepEqual(
    Steps.map(({ Status }) => Status?.State),
    ['INTERRUPTED'],
  );
}

describe('a run on spot instances', () => {
  it('falls back to on-demand, takes another cluster where its nodes are lost, and keeps the last', async () => {
    const env = { EMR_OUTPUT: 'hdfs', EMR_KEEP_ALIVE: '2h' };
    const request = { Instances: { InstanceFleets: FLEETS } };
    await withEmrLab(shared, { routes: ROUTES, env, request }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      shared.emr.faults = {
        spotNotGranted: { count: 1, ms: 500 },
        spotLoss: { count: 1, afterMs: 500 },
      };
      const ingest = ['ingest', 'things', '--date', DAY, '--as-if'];
      const { json, code, stdout, stderr } = await lab.json<Run>(ingest);
      assert.equal(code, 0, stdout + stderr);
      assert.deepEqual([json.status, json.ledger.rows], ['on-hdfs', 2]);
      const { clusterId } = json.emr;
      const [lost = '', ...more] = clustersIn(stderr).filter((id) => id !== clusterId);
      assert.deepEqual(more, [], stderr);
      await assertLost(lost);
      assert.deepEqual(await shared.liveClusters(), [clusterId]);
      const described = await shared.client.send(
        new DescribeClusterCommand({ ClusterId: clusterId }),
      );
      assert.equal(described.Cluster?.Status?.State, 'WAITING');
      const swept = await lab.json<SweepResult>(['sweep', '--older-than', '0']);
      assert.deepEqual(
        swept.json.items.filter(({ kind }) => kind === 'cluster'),
        [],
      );
      assert.deepEqual(await shared.liveClusters(), [clusterId]);
      await shared.client.send(new TerminateJobFlowsCommand({ JobFlowIds: [clusterId] }));
    });
  });
});
