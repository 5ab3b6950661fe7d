import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  DescribeClusterCommand,
  EMRClient,
  ListClustersCommand,
  RunJobFlowCommand,
} from '@aws-sdk/client-emr';
import { loadConfig } from '../../src/config/load-config.ts';
import { clusterRequest } from '../../src/emr/cluster-request.ts';
import { DAY, ingestError } from '../helpers/emr-runs.ts';
import { withLab, type Lab } from '../helpers/lab.ts';
import { startMoto, type Moto } from '../helpers/moto.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';

let s3: TestS3;
let moto: Moto;
let client: EMRClient;
before(async () => {
  s3 = await startS3();
  moto = await startMoto();
  const { AWS_REGION: region, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = s3.env;
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  client = new EMRClient({ endpoint: moto.endpoint, region, credentials });
});
after(async () => {
  client?.destroy();
  await moto?.close();
  await s3.close();
});

const routes = { '/a.csv': { body: 'id,text\r\n1,"a\nb"\r\n', etag: '"1"' } };

async function withRuns(body: (lab: Lab) => Promise<void>): Promise<void> {
  const env = {
    ...s3.env,
    LAKE: `s3://${s3.bucket}`,
    ENGINE: 'emr',
    AWS_ENDPOINT_URL_EMR: moto.endpoint,
    // The limit is six seconds, because the step never ends on moto.
    EMR_STEP_LIMIT_MINUTES: '0.1',
  };
  await withLab({ routes, env }, async (lab) => {
    const a = lab.origin.address('/a.csv');
    await lab.datasets({ things: { a }, others: { a } });
    await body(lab);
  });
}

/** Name and state of each cluster that was ever made. */
async function clusters(): Promise<[string, string | undefined][]> {
  const { Clusters = [] } = await client.send(new ListClustersCommand({}));
  return Clusters.map(({ Name = '', Status }) => [Name, Status?.State]);
}

async function make(lab: Lab, runId: string): Promise<string> {
  const { emr } = loadConfig({ env: {}, cwd: lab.folder }).settings;
  const lake = `s3://${s3.bucket}/takehome-converted/`;
  const name = { dataset: 'others', ingestDate: DAY, runId, generation: 2 };
  const request = clusterRequest(emr, {}, name, {
    logUri: `${lake}logs/`,
    lake,
    shutDownUri: `${lake}_emr/shut-down-after.sh`,
  });
  return (await client.send(new RunJobFlowCommand(request))).JobFlowId ?? '';
}

async function stateOf(id: string): Promise<string | undefined> {
  const { Cluster } = await client.send(new DescribeClusterCommand({ ClusterId: id }));
  return Cluster?.Status?.State;
}

describe('an EMR that others wrote, and that promises only documented behaviour', () => {
  it('makes a cluster and a step, and the cluster ends though its step cannot be cancelled there', async () => {
    await withRuns(async (lab) => {
      assert.equal((await ingestError(lab, 'things')).code, 'EMR_STEP_TIMED_OUT');
      const [[name, state] = ['', ''], ...others] = await clusters();
      assert.match(name, new RegExp(`^longhaul/things/${DAY}/`));
      assert.deepEqual([state, others], ['TERMINATED', []]);
    });
  });

  it('is swept of the cluster that a dead run left, and of no other', async () => {
    await withRuns(async (lab) => {
      assert.equal((await ingestError(lab, 'others')).code, 'EMR_STEP_TIMED_OUT');
      const { json } = await lab.json<{ runs: { runId: string }[] }>(['runs']);
      const left = await make(lab, json.runs[0]?.runId ?? '');
      const { JobFlowId: theirs = '' } = await client.send(
        new RunJobFlowCommand({
          Name: 'theirs',
          ReleaseLabel: 'emr-7.10.0',
          Instances: { KeepJobFlowAliveWhenNoSteps: true },
        }),
      );
      const swept = await lab.run(['sweep', '--older-than', '0']);
      assert.equal(swept.code, 0, swept.stderr);
      assert.equal(await stateOf(left), 'TERMINATED');
      assert.equal(await stateOf(theirs), 'WAITING');
    });
  });
});
