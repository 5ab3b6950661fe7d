import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  clusterFailure,
  instanceHours,
  isLostNodes,
  isWorthAnotherCluster,
  type EmrCluster,
} from '../../src/model/emr.ts';

function cluster(changes: Partial<EmrCluster>): EmrCluster {
  return {
    ...{ id: 'j-1', isOurs: true, state: 'TERMINATED_WITH_ERRORS', instances: 3, createdAtMs: 0 },
    ...changes,
  };
}

describe('why a cluster ended', () => {
  it('is found by EMR’s code, and by its message where the code says too little', () => {
    const cases: [Partial<EmrCluster>, string][] = [
      [{ reasonCode: 'BOOTSTRAP_FAILURE' }, 'EMR_BOOTSTRAP_FAILED'],
      [{ reasonCode: 'INSTANCE_FLEET_TIMEOUT' }, 'EMR_NO_CAPACITY'],
      [
        {
          reasonCode: 'INSTANCE_FAILURE',
          reason:
            'Insufficient capacity: EC2 has insufficient capacity for instance type m5.xlarge',
        },
        'EMR_NO_CAPACITY',
      ],
      [
        { reasonCode: 'VALIDATION_ERROR', reason: 'The subnet does not exist' },
        'EMR_CLUSTER_FAILED',
      ],
      [{ reasonCode: 'INSTANCE_FAILURE', reason: 'The master failed' }, 'EMR_CLUSTER_LOST'],
      [{ reasonCode: 'INTERNAL_ERROR' }, 'EMR_CLUSTER_LOST'],
      [{ reasonCode: 'USER_REQUEST', reason: 'Terminated by user request' }, 'EMR_CLUSTER_ENDED'],
      [{ reasonCode: 'USER_REQUEST', reason: 'Auto-terminated while idle' }, 'EMR_CLUSTER_LOST'],
      [{ reasonCode: 'STEP_FAILURE' }, 'EMR_CLUSTER_FAILED'],
      [{}, 'EMR_CLUSTER_FAILED'],
    ];
    for (const [changes, code] of cases) {
      assert.equal(clusterFailure(cluster(changes)), code, JSON.stringify(changes));
    }
  });

  it('decides whether another one is made', () => {
    assert.ok(isWorthAnotherCluster('EMR_NO_CAPACITY'));
    assert.ok(isWorthAnotherCluster('EMR_CLUSTER_LOST'));
    assert.ok(!isWorthAnotherCluster('EMR_BOOTSTRAP_FAILED'));
    assert.ok(!isWorthAnotherCluster('EMR_CLUSTER_ENDED'));
  });
});

describe('why a step failed', () => {
  it('is lost machines, or the job itself: only the first is tried again', () => {
    for (const text of [
      'ExecutorLostFailure (executor 3 exited caused by one of the running tasks): Slave lost',
      'Container released on a *lost* node',
      'Could not obtain block: BP-1: blk_1 file=/x',
      'The core nodes were lost: spot instance interruption',
    ]) {
      assert.ok(isLostNodes(text), text);
    }
    for (const text of [
      'org.apache.spark.sql.AnalysisException: cannot resolve column',
      'AnalysisException after ExecutorLostFailure',
      'java.lang.OutOfMemoryError: Java heap space; ExecutorLostFailure',
      'exit code 1',
      '',
    ]) {
      assert.ok(!isLostNodes(text), text);
    }
  });
});

describe('instance-hours', () => {
  it('go on until the cluster’s end', () => {
    const HOUR = 3_600_000;
    assert.equal(instanceHours(cluster({}), HOUR), 3);
    assert.equal(instanceHours(cluster({ endedAtMs: HOUR / 2 }), HOUR), 1.5);
    assert.equal(instanceHours(cluster({ createdAtMs: HOUR }), 0), 0);
  });
});
