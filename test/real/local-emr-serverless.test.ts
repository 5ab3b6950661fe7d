import {
  EMRServerlessClient,
  GetJobRunCommand,
  StartJobRunCommand,
  type JobRun,
} from '@aws-sdk/client-emr-serverless';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { QUICK_SPARK, startTestServerless } from '../helpers/local-emr.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';

const { Classification: classification, Properties } = QUICK_SPARK;
const SETTINGS = { classification, properties: { ...Properties, 'spark.app.name': 'mine' } };
const SCRIPT = `import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
rows = spark.read.option("header", True).csv(sys.argv[1])
rows.coalesce(1).write.parquet(sys.argv[2])
print("rows", spark.read.parquet(sys.argv[2]).count(), spark.sparkContext.appName)
raise ValueError("enough")
`;

describe('the local EMR Serverless', () => {
  it('really runs a job on S3, keeps its logs, and leaves nothing on this machine', async () => {
    const s3 = await startS3();
    const server = await startTestServerless(s3);
    const { endpoint, applicationId, roleArn: executionRoleArn } = server;
    const { region } = s3.server;
    const client = new EMRServerlessClient({ endpoint, region, credentials: s3.server });
    try {
      await put(s3, 'in.csv', 'id\n1\n2\n');
      await put(s3, 'job.py', SCRIPT);
      const bucket = `s3://${s3.bucket}`;
      const sparkSubmit = {
        entryPoint: `${bucket}/job.py`,
        entryPointArguments: [`${bucket}/in.csv`, `${bucket}/out`],
      };
      const s3MonitoringConfiguration = { logUri: `${bucket}/logs/` };
      const { jobRunId = '' } = await client.send(
        new StartJobRunCommand({
          ...{ applicationId, executionRoleArn, jobDriver: { sparkSubmit } },
          configurationOverrides: {
            applicationConfiguration: [SETTINGS],
            monitoringConfiguration: { s3MonitoringConfiguration },
          },
        }),
      );
      let run: JobRun | undefined;
      while (run?.endedAt === undefined) {
        await sleep(100);
        run = (await client.send(new GetJobRunCommand({ applicationId, jobRunId }))).jobRun;
      }
      assert.equal(run.state, 'FAILED');
      assert.match(run.stateDetails ?? '', /ValueError: enough/);
      while ((await readdir(server.folder)).some((name) => name.startsWith('job-')))
        await sleep(100);
      const logs = `logs/applications/${applicationId}/jobs/${jobRunId}/SPARK_DRIVER`;
      assert.match(await logOf(s3, `${logs}/stdout.gz`), /^rows 2 mine$/m);
      assert.match(await logOf(s3, `${logs}/stdout.gz`), /^ValueError: enough$/m);
      assert.match(await logOf(s3, `${logs}/stderr.gz`), /SparkContext|WARN/);
    } finally {
      client.destroy();
      await server.stop();
      await s3.close();
    }
  });
});

async function put(s3: TestS3, Key: string, Body: string): Promise<void> {
  await s3.client.send(new PutObjectCommand({ Bucket: s3.bucket, Key, Body }));
}

async function logOf(s3: TestS3, Key: string): Promise<string> {
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: s3.bucket, Key }));
  return gunzipSync(Buffer.from((await Body?.transformToByteArray()) ?? [])).toString();
}
