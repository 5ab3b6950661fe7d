import { EMRClient } from '@aws-sdk/client-emr';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  locateEmrPrograms,
  startLocalEmr,
  type LocalEmr,
  type LocalEmrOptions,
} from '../../tools/local-aws/emr/index.ts';
import type { TestS3 } from './s3.ts';

/** A local EMR of the test's own, whose clusters have a real HDFS and really run their steps. */
export interface TestEmr extends LocalEmr {
  /** With each cluster's folder. */
  folder: string;
  /** Asks once: a test sees every refusal. */
  client: EMRClient;
  /** What a process needs in its environment to use it as any AWS SDK does, beside `s3.env`. */
  env: { AWS_ENDPOINT_URL_EMR: string };
}

export async function withLocalEmr(
  s3: TestS3,
  body: (emr: TestEmr) => Promise<void>,
  options: Partial<LocalEmrOptions> = {},
): Promise<void> {
  const emr = await startTestEmr(s3, options);
  try {
    await body(emr);
  } finally {
    await emr.stop();
  }
}

/** `stop()` removes its folder too. */
async function startTestEmr(s3: TestS3, options: Partial<LocalEmrOptions> = {}): Promise<TestEmr> {
  const searchPath = process.env['PATH'] ?? '';
  const programs = await locateEmrPrograms({
    searchPath,
    sparkHome: process.env['SPARK_HOME'],
    javaHome: process.env['JAVA_HOME'],
  });
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-emr-'));
  const server = {
    endpoint: s3.endpoint,
    region: s3.env.AWS_REGION,
    accessKeyId: s3.env.AWS_ACCESS_KEY_ID,
    secretAccessKey: s3.env.AWS_SECRET_ACCESS_KEY,
  };
  const emr = await startLocalEmr({ folder, s3: server, programs, searchPath, ...options });
  const { endpoint, region, accessKeyId, secretAccessKey } = emr;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new EMRClient({ endpoint, region, credentials, maxAttempts: 1 });
  const stop = emr.stop.bind(emr);
  return Object.assign(emr, {
    folder,
    client,
    env: { AWS_ENDPOINT_URL_EMR: endpoint },
    stop: async () => {
      client.destroy();
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  });
}
