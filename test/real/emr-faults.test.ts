import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CancelStepsCommand,
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
