import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  CancelStepsCommand,
  ListStepsCommand,
  TerminateJobFlowsCommand,
  type InstanceGroupConfig,
} from '@aws-sdk/client-emr';
import type { Lab } from '../helpers/lab.ts';
import { sharedEmr } from '../helpers/emr-lab.ts';
import { clustersOf, ingestError, runningStep, withDatasets } from '../helpers/emr-runs.ts';

const shared = sharedEmr();

describe('a run on EMR that goes wrong', () => {
  it('while its cluster comes to be: capacity, bootstrap', async () => {
    await withDatasets(shared, ['capacity', 'bootstrap'], {}, async (lab) => {
      shared.emr.faults = { noCapacity: 9 };
      assert.equal((await ingestError(lab, 'capacity')).code, 'EMR_NO_CAPACITY');
      assert.equal((await clustersOf(shared, 'capacity')).length, 3);
      shared.emr.faults = { bootstrapFailure: 1 };
      assert.equal((await ingestError(lab, 'bootstrap')).code, 'EMR_BOOTSTRAP_FAILED');
    });
  });

  it('ends a cluster of three masters, which EMR protects by itself', async () => {
    const env = { EMR_STEP_LIMIT_MINUTES: '0.05' };
    const InstanceGroups: InstanceGroupConfig[] = [
      { InstanceRole: 'MASTER', InstanceType: 'm7g.xlarge', InstanceCount: 3 },
      { InstanceRole: 'CORE', InstanceType: 'm7g.xlarge', InstanceCount: 4 },
    ];
    const body = async (lab: Lab): Promise<void> => {
      shared.emr.faults = { hang: 1 };
      assert.equal((await ingestError(lab, 'masters')).code, 'EMR_STEP_TIMED_OUT');
    };
    await withDatasets(shared, ['masters'], env, body, { Instances: { InstanceGroups } });
  });

  it('while its step runs: it hangs, an operator ends it or its cluster', async () => {
    // On a busy machine, the worker needs this time to see that the step runs.
    const env = { EMR_STEP_LIMIT_MINUTES: '0.25' };
    await withDatasets(shared, ['hangs', 'step', 'cluster'], env, async (lab) => {
      shared.emr.faults = { hang: 9 };
      const hang = await ingestError(lab, 'hangs');
      assert.equal(hang.code, 'EMR_STEP_TIMED_OUT');
      assert.match(hang.message, /it is RUNNING/);
      const cancelled = ingestError(lab, 'step');
      const { cluster, step } = await runningStep(shared, 'step');
      const command = { ClusterId: cluster, StepIds: [step] };
      await shared.client.send(
        new CancelStepsCommand({ ...command, StepCancellationOption: 'TERMINATE_PROCESS' }),
      );
      assert.equal((await cancelled).code, 'EMR_STEP_CANCELLED');
      const terminated = ingestError(lab, 'cluster');
      const other = await runningStep(shared, 'cluster');
      await shared.client.send(new TerminateJobFlowsCommand({ JobFlowIds: [other.cluster] }));
      assert.equal((await terminated).code, 'EMR_CLUSTER_ENDED');
    });
  });
});

describe('a run on EMR that would fail again is not tried again', () => {
  it('and makes no cluster: a lake on a disk, too many hours, no such role', async () => {
    await withDatasets(
      shared,
      ['disk', 'role'],
      { EMR_SERVICE_ROLE: 'no-such-role' },
      async (lab) => {
        const { json, code } = await lab.json<{ error: { code: string } }>([
          'ingest',
          'disk',
          '--lake',
          'data',
        ]);
        assert.deepEqual([code, json.error.code], [2, 'EMR_NEEDS_S3']);
        const role = await ingestError(lab, 'role');
        assert.equal(role.code, 'EMR_REFUSED');
        assert.match(role.message, /no-such-role is invalid/);
      },
    );
    await withDatasets(shared, ['dear'], { EMR_CORE_COUNT: '500' }, async (lab) => {
      const dear = await ingestError(lab, 'dear');
      assert.equal(dear.code, 'EMR_TOO_EXPENSIVE');
      assert.match(dear.message, /501 instances/);
      assert.deepEqual(await clustersOf(shared, 'dear'), []);
    });
  });

  it('and runs no step: no such release, no such subnet', async () => {
    await withDatasets(shared, ['release'], { EMR_RELEASE_LABEL: 'emr-99.1.0' }, async (lab) => {
      const release = await ingestError(lab, 'release');
      assert.equal(release.code, 'EMR_REFUSED');
      assert.match(release.message, /release label is invalid: emr-99\.1\.0/);
      assert.deepEqual(await clustersOf(shared, 'release'), []);
    });
    await withDatasets(shared, ['subnet'], { EMR_SUBNET_ID: 'subnet-0badbad0' }, async (lab) => {
      const subnet = await ingestError(lab, 'subnet');
      assert.equal(subnet.code, 'EMR_CLUSTER_FAILED');
      assert.match(subnet.message, /subnet-0badbad0 does not exist/);
      // The run makes one cluster only, because EMR would refuse another one, too.
      assert.equal((await clustersOf(shared, 'subnet')).length, 1);
    });
  });

  it('and its one step says why: an HDFS that is full', async () => {
    await withDatasets(shared, ['full'], {}, async (lab) => {
      lab.origin.set('/big.csv', { body: incompressible(), etag: '"1"' });
      await lab.datasets({ full: { a: lab.origin.address('/big.csv') } });
      shared.emr.faults = { smallHdfs: { count: 1, bytes: HDFS_BYTES } };
      const full = await ingestError(lab, 'full');
      assert.equal(full.code, 'EMR_STEP_FAILED');
      assert.match(full.message, /could only be written to 0 of/);
      const [cluster = '', ...others] = await clustersOf(shared, 'full');
      assert.deepEqual(others, []);
      const { Steps = [] } = await shared.client.send(new ListStepsCommand({ ClusterId: cluster }));
      assert.equal(Steps.length, 1);
    });
  });
});

const HDFS_BYTES = 8 * 1024 * 1024;

/** Makes a file twice as large as the small HDFS. Its Parquet is three quarters as large as the file. */
function incompressible(): string {
  const lines = Array.from(
    { length: 16 },
    (_, n) => `${n},${randomBytes(786_432).toString('base64')}`,
  );
  return `id,text\n${lines.join('\n')}\n`;
}
