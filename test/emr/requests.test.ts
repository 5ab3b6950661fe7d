import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { EmrSettings } from '../../src/config/settings.ts';
import { validateCluster } from '../../tools/local-aws/emr/validate-cluster.ts';
import {
  clusterRequest,
  instanceCount,
  requestAdditions,
  type RequestAdditions,
} from '../../src/emr/cluster-request.ts';
import { commandStep, copyArgs, sparkArgs } from '../../src/emr/steps.ts';
import { clusterName, parseClusterName, stepName } from '../../src/model/emr.ts';

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
  return loadConfig({ env, cwd: '/nowhere' }).settings.emr;
}

const groups = fc.record({
  InstanceGroups: fc
    .tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }))
    .map(([core, task]) => [
      { InstanceRole: 'MASTER' as const, InstanceType: 'm5.xlarge', InstanceCount: 1 },
      { InstanceRole: 'CORE' as const, InstanceType: 'r6gd.2xlarge', InstanceCount: core },
      { InstanceRole: 'TASK' as const, InstanceType: 'c5.metal', InstanceCount: task },
    ]),
});
const fleets = fc.record({
  InstanceFleets: fc
    .tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 50 }))
    .map(([demand, spot]) => [
      { InstanceFleetType: 'MASTER' as const, TargetOnDemandCapacity: 1 },
      {
        InstanceFleetType: 'CORE' as const,
        TargetOnDemandCapacity: demand,
        TargetSpotCapacity: spot,
      },
    ]),
  Ec2SubnetIds: fc.constant(['subnet-0a1b2c3d', 'subnet-1a1b2c3d'] as string[]),
});
const additions: fc.Arbitrary<RequestAdditions> = fc.record(
  {
    Instances: fc.oneof(groups, fleets, fc.constant({ Ec2KeyName: 'k' })),
    StepConcurrencyLevel: fc.integer({ min: 1, max: 256 }),
    Tags: fc.constant([{ Key: 'longhaul:run', Value: 'x' }]),
    BootstrapActions: fc.constant([
      { Name: 'x', ScriptBootstrapAction: { Path: 's3://b/x.sh', Args: ['a b'] } },
    ]),
  },
  { requiredKeys: [] },
);
const envs = fc.record(
  {
    EMR_CORE_COUNT: fc.integer({ min: 1, max: 50 }).map(String),
    EMR_INSTANCE_TYPE: fc.constantFrom('m5.xlarge', 'r6gd.2xlarge', 'c5.metal'),
    EMR_SUBNET_ID: fc.constantFrom('subnet-0a1b2c3d', ''),
  },
  { requiredKeys: [] },
);

function request(env: Record<string, string> = {}, added: RequestAdditions = {}) {
  return clusterRequest(settings(env), added, NAME, WHERE);
}

describe('the request for a cluster', () => {
  it('is one that EMR takes, whatever settings and file say, and has all their instances', () => {
    fc.assert(
      fc.property(envs, additions, (env, added) => {
        const made = request(env, added);
        validateCluster(made);
        const { InstanceGroups = [], InstanceFleets = [] } = made.Instances ?? {};
        const asked = [
          ...InstanceGroups.map(({ InstanceCount = 0 }) => InstanceCount),
          ...InstanceFleets.map(
            ({ TargetOnDemandCapacity = 0, TargetSpotCapacity = 0 }) =>
              TargetOnDemandCapacity + TargetSpotCapacity,
          ),
        ];
        assert.equal(
          asked.reduce((sum, each) => sum + each, 0),
          instanceCount(settings(env), added),
        );
      }),
    );
  });

  it('always has a name to be found by, its own tags, an idle timeout and a switch, whatever the file says', () => {
    fc.assert(
      fc.property(additions, (added) => {
        const made = request({ EMR_KEEP_ALIVE: '2h' }, added);
        assert.equal(made.Name, clusterName(NAME));
        const tagged = (key: string) => made.Tags?.filter(({ Key }) => Key === key);
        assert.deepEqual(tagged('longhaul:run'), [{ Key: 'longhaul:run', Value: NAME.runId }]);
        // AWS's managed policies of EMR ask for this tag.
        assert.equal(tagged('for-use-with-amazon-emr-managed-policies')?.length, 1);
        assert.deepEqual(made.AutoTerminationPolicy, { IdleTimeout: 3600 });
        assert.equal(made.Instances?.KeepJobFlowAliveWhenNoSteps, true);
        const [first] = made.BootstrapActions ?? [];
        assert.equal(first?.ScriptBootstrapAction?.Path, WHERE.shutDownUri);
      }),
    );
  });

  it('lets the cluster end by itself at the latest when the run has used all that it may, and was kept', () => {
    const minutesOf = (env: Record<string, string>): string[] | undefined =>
      request(env).BootstrapActions?.[0]?.ScriptBootstrapAction?.Args;
    // Three instances use 24 instance-hours in eight hours. The limit has a margin.
    assert.deepEqual(minutesOf({}), [String(8 * 60 + 15)]);
    assert.deepEqual(minutesOf({ EMR_KEEP_ALIVE: '2h' }), [String(10 * 60 + 15)]);
  });

  it('is for core nodes on demand unless the file says otherwise, and counts what may grow at its most', () => {
    const markets = request().Instances?.InstanceGroups?.map(({ Market }) => Market);
    assert.deepEqual(markets, ['ON_DEMAND', 'ON_DEMAND']);
    const limits = {
      UnitType: 'Instances' as const,
      MinimumCapacityUnits: 2,
      MaximumCapacityUnits: 9,
    };
    const scaled = { ManagedScalingPolicy: { ComputeLimits: limits } };
    assert.equal(instanceCount(settings(), scaled), 10);
  });
});

describe('the file of EMR_REQUEST', () => {
  async function read(content: unknown): Promise<RequestAdditions> {
    return await withTempFolder(async (folder) => {
      const requestFile = join(folder, 'request.json');
      await writeFile(requestFile, typeof content === 'string' ? content : JSON.stringify(content));
      return await requestAdditions({ requestFile });
    });
  }

  it('is taken as it is where the SDK knows every member of it', async () => {
    const content: RequestAdditions = {
      Configurations: [
        { Classification: 'spark-defaults', Properties: { 'spark.executor.memory': '4g' } },
      ],
      SecurityConfiguration: 'encrypted',
      LogEncryptionKmsKeyId: 'arn:aws:kms:eu-west-1:1:key/k',
      EbsRootVolumeSize: 30,
      Instances: {
        AdditionalMasterSecurityGroups: ['sg-1'],
        InstanceFleets: [
          {
            InstanceFleetType: 'TASK',
            TargetSpotCapacity: 4,
            InstanceTypeConfigs: [{ InstanceType: 'm7g.xlarge' }, { InstanceType: 'm6g.xlarge' }],
          },
        ],
      },
    };
    assert.deepEqual(await read(content), content);
    assert.deepEqual(await requestAdditions({ requestFile: undefined }), {});
  });

  it('is refused with the member that RunJobFlow does not have, or that is not for the operator to say', async () => {
    const cases: [unknown, RegExp][] = [
      [{ Instances: { CoreCount: 3 } }, /RunJobFlow has no member Instances\.CoreCount/],
      [{ Tags: [{ Name: 'a' }] }, /RunJobFlow has no member Tags\.0\.Name/],
      [{ Steps: [{ Name: 'x' }] }, /Longhaul itself sets Steps/],
      [
        { Instances: { TerminationProtected: true } },
        /Longhaul itself sets .*TerminationProtected/,
      ],
      ['{ "Name": ', /It is not JSON/],
      [[1], /It is not a JSON object/],
    ];
    for (const [content, expected] of cases) {
      await assert.rejects(read(content), { code: 'CONFIG_INVALID', message: expected });
    }
    const gone = requestAdditions({ requestFile: '/nowhere/x.json' });
    await assert.rejects(gone, { code: 'CONFIG_INVALID', message: /It cannot be read/ });
  });
});

describe('steps', () => {
  it('are argument lists, and never end their cluster', () => {
    const args = sparkArgs('s3://b/convert.py', ['--job', 's3://b/a b; rm -rf']);
    assert.deepEqual(args, [
      ...['spark-submit', '--deploy-mode', 'client'],
      ...['s3://b/convert.py', '--job', 's3://b/a b; rm -rf'],
    ]);
    const step = commandStep('n', copyArgs('hdfs:///a/', 's3://b/c/', '.*/part-1-'));
    assert.equal(step.ActionOnFailure, 'CONTINUE');
    assert.deepEqual(step.HadoopJarStep?.Args, [
      ...['s3-dist-cp', '--src', 'hdfs:///a/', '--dest', 's3://b/c/', '--srcPattern', '.*/part-1-'],
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
    const base = { runId: NAME.runId, kind: 'convert', attempt: 1 } as const;
    const names = new Set([
      stepName(base),
      stepName({ ...base, kind: 'copy' }),
      stepName({ ...base, attempt: 2 }),
    ]);
    assert.equal(names.size, 3);
    assert.ok(stepName(base).length <= 256);
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

  it('refuse what cannot work', () => {
    assert.match(problem({ EMR_OUTPUT: 'hdfs' }), /HDFS ends with its cluster/);
    assert.equal(problem({ EMR_OUTPUT: 'hdfs', EMR_KEEP_ALIVE: '2h' }), '');
    assert.equal(problem({ EMR_OUTPUT: 'hdfs', EMR_CLUSTER_ID: 'j-1ABC' }), '');
    assert.match(problem({ EMR_KEEP_ALIVE: 'true' }), /EMR_KEEP_ALIVE must be a time/);
  });
});
