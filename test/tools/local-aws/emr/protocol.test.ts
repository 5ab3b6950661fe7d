import {
  DescribeClusterCommand,
  EMRClient,
  ListClustersCommand,
  ListStepsCommand,
  RunJobFlowCommand,
  type EMRClientConfig,
  type RunJobFlowInput,
} from '@aws-sdk/client-emr';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { verifySignature, type SignedRequest } from '../../../../tools/local-aws/aws-api.ts';
import { IDENTITY, smallCluster, stepOf, withQuickEmr } from './quick-emr.ts';

const SIGNATORY = { identity: IDENTITY, service: 'elasticmapreduce' };

describe('a request', () => {
  it('without a signature, of an unknown key, or with another secret is refused', async () => {
    await withQuickEmr(async ({ endpoint }) => {
      const bare = await fetch(endpoint, {
        method: 'POST',
        headers: { 'x-amz-target': 'ElasticMapReduce.ListClusters' },
        body: '{}',
      });
      assert.equal(bare.status, 403);
      assert.deepEqual(await bare.json(), {
        __type: 'MissingAuthenticationTokenException',
        message: 'Missing Authentication Token',
      });
      const unknown = { ...IDENTITY, accessKeyId: 'unknown' };
      await assert.rejects(list(endpoint, { credentials: unknown }), {
        name: 'UnrecognizedClientException',
      });
      const wrong = { ...IDENTITY, secretAccessKey: 'guessed' };
      await assert.rejects(list(endpoint, { credentials: wrong }), {
        name: 'InvalidSignatureException',
      });
      await assert.rejects(list(endpoint, { region: 'eu-west-1' }), {
        name: 'InvalidSignatureException',
        message: /scoped to us-east-1\/elasticmapreduce/,
      });
      await list(endpoint, {});
    });
  });

  it('is refused where a byte of it was changed', async () => {
    const sent = await capture();
    await verifySignature(sent, SIGNATORY);
    const invalid = { name: 'InvalidSignatureException' };
    const target = 'ElasticMapReduce.TerminateJobFlows';
    const changes = [
      { ...sent, body: Buffer.from('{"Marker":"x"}') },
      { ...sent, method: 'PUT' },
      { ...sent, path: '/?x=1' },
      { ...sent, headers: { ...sent.headers, 'x-amz-target': target } },
    ];
    for (const changed of changes) {
      await assert.rejects(verifySignature(changed, SIGNATORY), invalid);
    }
  });

  it('for what EMR has and this server has not is answered as not implemented', async () => {
    await withQuickEmr(async ({ client }) => {
      const { ListStudiosCommand } = await import('@aws-sdk/client-emr');
      await assert.rejects(client.send(new ListStudiosCommand({})), { name: 'NotImplemented' });
    });
  });

  it('for a cluster or step that is not there names it', async () => {
    await withQuickEmr(async ({ client }) => {
      await assert.rejects(client.send(new DescribeClusterCommand({ ClusterId: 'j-NONE' })), {
        name: 'InvalidRequestException',
        message: "Cluster id 'j-NONE' is not valid.",
      });
      const { JobFlowId: ClusterId } = await client.send(new RunJobFlowCommand(smallCluster()));
      const StepIds = ['s-NONE'];
      await assert.rejects(client.send(new ListStepsCommand({ ClusterId, StepIds })), {
        name: 'InvalidRequestException',
        message: "Step id 's-NONE' is not valid.",
      });
    });
  });

  it('for a cluster that EMR would not make is refused as EMR does', async () => {
    const master = { InstanceRole: 'MASTER', InstanceType: 'm5.xlarge', InstanceCount: 1 } as const;
    const fleet = { InstanceFleetType: 'MASTER', TargetOnDemandCapacity: 1 } as const;
    const many = Array.from({ length: 257 }, (_, index) => stepOf(`s${index}`, 'ok'));
    const refused: [Partial<RunJobFlowInput>, RegExp][] = [
      [{ ReleaseLabel: 'emr-9.9.9' }, /The supplied release label is invalid: emr-9\.9\.9\./],
      [{ ServiceRole: '' }, /ServiceRole is required/],
      [{ JobFlowRole: '' }, /InstanceProfile is required/],
      [{ ServiceRole: 'NoSuchRole' }, /NoSuchRole is invalid/],
      [
        { JobFlowRole: 'arn:aws:iam::123456789012:instance-profile/None' },
        /Invalid InstanceProfile: None\./,
      ],
      [
        { Instances: { InstanceGroups: [master], InstanceFleets: [fleet] } },
        /cannot be specified together/,
      ],
      [
        { Instances: { InstanceGroups: [{ ...master, InstanceType: 'big one' }] } },
        /'big one' is not supported/,
      ],
      [
        { Instances: { InstanceGroups: [{ ...master, InstanceCount: 0 }] } },
        /greater than or equal to 1/,
      ],
      [{ Instances: { Ec2SubnetId: 'somewhere' } }, /ec2SubnetId is not valid/],
      [{ Steps: many }, /A maximum of 256 steps/],
      [{ Steps: [stepOf('x', 'ok', 'CANCEL_AND_WAIT')] }, /CANCEL_AND_WAIT is not supported/],
      [{ AutoTerminationPolicy: { IdleTimeout: 59 } }, /between 60 and 604800/],
    ];
    const roles = ['EMR_DefaultRole', 'EMR_EC2_DefaultRole'];
    await withQuickEmr(
      async ({ client }) => {
        for (const [change, message] of refused) {
          await assert.rejects(client.send(new RunJobFlowCommand(smallCluster(change))), {
            name: 'ValidationException',
            message,
          });
        }
        const { Clusters } = await client.send(new ListClustersCommand({}));
        assert.deepEqual(Clusters, []);
      },
      { roles },
    );
  });
});

async function list(endpoint: string, config: EMRClientConfig): Promise<void> {
  const client = new EMRClient({
    endpoint,
    region: 'us-east-1',
    credentials: IDENTITY,
    maxAttempts: 1,
    ...config,
  });
  try {
    await client.send(new ListClustersCommand({}));
  } finally {
    client.destroy();
  }
}

/** A request with the SDK's signature. */
async function capture(): Promise<SignedRequest> {
  const client = new EMRClient({
    endpoint: 'http://127.0.0.1:1',
    region: 'us-east-1',
    credentials: IDENTITY,
  });
  let sent: { headers: Record<string, string>; body: string } | undefined;
  client.middlewareStack.add(
    () => async (args) => {
      sent = args.request as NonNullable<typeof sent>;
      return await Promise.reject(new Error('seen'));
    },
    { step: 'finalizeRequest', priority: 'low' },
  );
  await assert.rejects(client.send(new ListClustersCommand({})), /seen/);
  client.destroy();
  assert.ok(sent);
  const headers = Object.fromEntries(
    Object.entries(sent.headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  return { method: 'POST', path: '/', headers, body: Buffer.from(sent.body) };
}
