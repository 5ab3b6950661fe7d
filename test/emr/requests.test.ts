import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { EmrSettings } from '../../src/config/settings.ts';
import { validateCluster } from '../../tools/local-aws/emr/validate-cluster.ts';
import { clusterRequest, instanceCount } from '../../src/emr/cluster-request.ts';
import { commandStep, copyArgs, sparkArgs } from '../../src/emr/steps.ts';
import { EMR_SPOTS } from '../../src/model/emr.ts';
import { clusterName, parseClusterName, stepName } from '../../src/model/emr-names.ts';

const NAME = {
  dataset: 'denver-311',
  ingestDate: '2026-11-25',
  runId: '01a2110a-0ec7-77dc-a4ac-eee5802b7704',
  generation: 1,
};
const WHERE = {
  logUri: 's3://lake/converted/_emr-logs/',
  lake: 's3://lake/converted/',
  shutDownUri: 's3://lake/converted/_emr/shut-down-after.sh',
};

function settings(env: Record<string, string> = {}): EmrSettings {
  return loadSettings({ env, cwd: '/nowhere' }).emr;
}

const envs = fc.record(
  {
    EMR_MASTER_COUNT: fc.constantFrom('1', '3'),
    EMR_CORE_COUNT: fc.integer({ min: 1, max: 50 }).map(String),
    EMR_TASK_COUNT: fc.integer({ min: 0, max: 50 }).map(String),
    EMR_CORE_TYPE: fc.constantFrom('m5.xlarge', 'r6gd.2xlarge', 'c5.metal'),
    EMR_SPOT: fc.constantFrom(...EMR_SPOTS),
    EMR_SPOT_TIMEOUT_MINUTES: fc.integer({ min: 5, max: 1440 }).map(String),
    EMR_STEP_CONCURRENCY: fc.integer({ min: 1, max: 256 }).map(String),
    EMR_IDLE_TIMEOUT_MINUTES: fc.integer({ min: 1, max: 10_080 }).map(String),
    EMR_SUBNET_ID: fc.constantFrom('subnet-0a1b2c3d', ''),
    EMR_TAGS: fc.constantFrom('', 'team=data,cost=a=b'),
    EMR_BOOTSTRAP_ACTIONS: fc.constantFrom('', 's3://b/x.sh -a b; s3://b/y.sh'),
  },
  { requiredKeys: [] },
);

describe('the request for a cluster', () => {
  it('is one that EMR takes, whatever the settings, and has all their instances', () => {
    fc.assert(
      fc.property(envs, (env) => {
        const emr = settings(env);
        const request = clusterRequest(emr, NAME, WHERE);
        validateCluster(request, {});
        const { InstanceGroups: groups = [], InstanceFleets: fleets = [] } =
          request.Instances ?? {};
        const asked = [
          ...groups.map(({ InstanceCount = 0 }) => InstanceCount),
          ...fleets.map(
            ({ TargetOnDemandCapacity = 0, TargetSpotCapacity = 0 }) =>
              TargetOnDemandCapacity + TargetSpotCapacity,
          ),
        ];
        assert.equal(
          asked.reduce((sum, each) => sum + each, 0),
          instanceCount(emr),
        );
      }),
    );
  });

  it('always has a name to be found by, a tag of its run, and an idle timeout on the server', () => {
    const request = clusterRequest(settings({ EMR_KEEP_ALIVE: '2h' }), NAME, WHERE);
    assert.equal(request.Name, clusterName(NAME));
    assert.ok(
      request.Tags?.some(({ Key, Value }) => Key === 'longhaul:run' && Value === NAME.runId),
    );
    // What AWS's managed policies of EMR ask for.
    assert.ok(request.Tags?.some(({ Key }) => Key === 'for-use-with-amazon-emr-managed-policies'));
    assert.deepEqual(request.AutoTerminationPolicy, { IdleTimeout: 3600 });
    assert.equal(request.Instances?.KeepJobFlowAliveWhenNoSteps, true);
  });

  it('lets the cluster end by itself at the latest when the run has used all that it may, and was kept', () => {
    const minutesOf = (env: Record<string, string>): string[] | undefined =>
      clusterRequest(settings(env), NAME, WHERE).BootstrapActions?.[0]?.ScriptBootstrapAction?.Args;
    // 24 instance-hours of three instances, and a margin.
    assert.deepEqual(minutesOf({}), [String(8 * 60 + 15)]);
    assert.deepEqual(minutesOf({ EMR_KEEP_ALIVE: '2h' }), [String(10 * 60 + 15)]);
    const { BootstrapActions: actions = [] } = clusterRequest(
      settings({ EMR_BOOTSTRAP_ACTIONS: 's3://b/x.sh a' }),
      NAME,
      WHERE,
    );
    assert.deepEqual(
      actions.map(({ ScriptBootstrapAction: action }) => action?.Path),
      [WHERE.shutDownUri, 's3://b/x.sh'],
    );
  });

  it('falls back to on-demand where spot is not granted, and never has a spot master', () => {
    const request = clusterRequest(
      settings({ EMR_SPOT: 'core', EMR_TASK_COUNT: '4' }),
      NAME,
      WHERE,
    );
    const fleets = request.Instances?.InstanceFleets ?? [];
    const spot = fleets.filter(({ TargetSpotCapacity }) => TargetSpotCapacity !== undefined);
    assert.deepEqual(
      spot.map(({ InstanceFleetType }) => InstanceFleetType),
      ['CORE', 'TASK'],
    );
    for (const { LaunchSpecifications: launch } of spot) {
      assert.equal(launch?.SpotSpecification?.TimeoutAction, 'SWITCH_TO_ON_DEMAND');
    }
  });

  it('lets no tag of the settings hide whose cluster it is', () => {
    const request = clusterRequest(settings({ EMR_TAGS: 'longhaul:run=x,a=b' }), NAME, WHERE);
    const runs = request.Tags?.filter(({ Key }) => Key === 'longhaul:run') ?? [];
    assert.deepEqual(
      runs.map(({ Value }) => Value),
      [NAME.runId],
    );
    assert.ok(request.Tags?.some(({ Key }) => Key === 'a'));
  });
});

describe('steps', () => {
  it('are argument lists, and never end their cluster', () => {
    const args = sparkArgs({ 'spark.x': 'a b; rm -rf' }, 's3://b/convert.py', [
      '--job',
      's3://b/j',
    ]);
    assert.deepEqual(args, [
      ...['spark-submit', '--deploy-mode', 'client', '--conf', 'spark.x=a b; rm -rf'],
      ...['s3://b/convert.py', '--job', 's3://b/j'],
    ]);
    const step = commandStep('n', copyArgs('hdfs:///a/', 's3://b/c/'));
    assert.equal(step.ActionOnFailure, 'CONTINUE');
    assert.deepEqual(step.HadoopJarStep?.Args, [
      ...['s3-dist-cp', '--src', 'hdfs:///a/', '--dest', 's3://b/c/'],
    ]);
  });
});

describe('names', () => {
  it('of clusters are read back, and no other cluster is taken for ours', () => {
    assert.deepEqual(parseClusterName(clusterName(NAME)), NAME);
    for (const name of ['longhaul', 'my cluster', `longhaul/a/2026-11-25/${NAME.runId}`, '']) {
      assert.equal(parseClusterName(name), undefined, name);
    }
    assert.ok(!parseClusterName(`x${clusterName(NAME)}`));
  });

  it('of steps differ with each of their parts, and EMR takes them', () => {
    const base = { runId: NAME.runId, source: 'a', kind: 'convert', attempt: 1 } as const;
    const names = new Set([
      stepName(base),
      stepName({ ...base, source: 'b' }),
      stepName({ ...base, kind: 'copy' }),
      stepName({ ...base, attempt: 2 }),
    ]);
    assert.equal(names.size, 4);
    assert.ok(stepName({ ...base, source: 'x'.repeat(80) }).length <= 256);
  });
});

describe('the settings of EMR', () => {
  const problem = (env: Record<string, string>): string => {
    try {
      settings(env);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };

  it('refuse what cannot work, or would show a secret', () => {
    assert.match(problem({ EMR_OUTPUT: 'hdfs' }), /HDFS ends with its cluster/);
    assert.equal(problem({ EMR_OUTPUT: 'hdfs', EMR_KEEP_ALIVE: '2h' }), '');
    assert.equal(problem({ EMR_OUTPUT: 'hdfs', EMR_CLUSTER_ID: 'j-1ABC' }), '');
    assert.match(problem({ EMR_SPARK_CONF: 'spark.hadoop.fs.s3a.secret.key=x' }), /no credentials/);
    assert.match(problem({ EMR_WEBHDFS_URL: 'file:///etc' }), /EMR_WEBHDFS_URL must be/);
    assert.match(problem({ EMR_BOOTSTRAP_ACTIONS: '/tmp/x.sh' }), /EMR_BOOTSTRAP_ACTIONS must be/);
  });

  it('read lists', () => {
    const emr = settings({
      EMR_TAGS: 'a=b, c=d=e',
      EMR_SPARK_CONF: 'spark.executor.memory=4g; spark.x=-Da=b -Dc=d',
      EMR_BOOTSTRAP_ACTIONS: 's3://b/x.sh a b ;s3://b/y.sh',
      EMR_LOG_URI: 's3://logs/emr',
    });
    assert.deepEqual(emr.tags, { a: 'b', c: 'd=e' });
    assert.deepEqual(emr.sparkConf, {
      'spark.executor.memory': '4g',
      'spark.x': '-Da=b -Dc=d',
    });
    assert.deepEqual(emr.bootstrapActions, [
      { path: 's3://b/x.sh', args: ['a', 'b'] },
      { path: 's3://b/y.sh', args: [] },
    ]);
    assert.equal(emr.logUri, 's3://logs/emr/');
  });
});
