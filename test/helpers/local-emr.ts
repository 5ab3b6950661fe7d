import { EMRClient } from '@aws-sdk/client-emr';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalEmrServerless } from '../../tools/local-aws/emr-serverless/local-emr-serverless.ts';
import type { ServerlessServer } from '../../tools/local-aws/emr-serverless/serverless-server.ts';
import type { EmrServer } from '../../tools/local-aws/emr/emr-server.ts';
import { startLocalEmr, type LocalEmrOptions } from '../../tools/local-aws/emr/local-emr.ts';
import { locateEmrPrograms } from '../../tools/local-aws/programs.ts';
import type { TestS3 } from './s3.ts';

/** A JVM that compiles less finishes a short job sooner. */
export const QUICK_SPARK = {
  Classification: 'spark-defaults',
  Properties: { 'spark.driver.extraJavaOptions': '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' },
};

/** A local EMR of one test. Its clusters have a real HDFS and really run their steps. */
export interface TestEmr extends EmrServer {
  /** Folder with a subfolder for each cluster. */
  folder: string;
  /** By default, the client sends each request once, so that a test sees every refusal. */
  client: EMRClient;
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

/**
 * Starts a local EMR. `stop()` also removes its folder.
 * @param maxAttempts tries of each request of the client. If a run meets the same faults, the client must retry as the
 * SDK does.
 */
export async function startTestEmr(
  { server }: TestS3,
  options: Partial<LocalEmrOptions> = {},
  maxAttempts = 1,
): Promise<TestEmr> {
  const programs = await locateEmrPrograms();
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-emr-'));
  const emr = await startLocalEmr({ folder, s3: server, programs, ...options });
  const { region } = server;
  const { endpoint } = emr;
  const client = new EMRClient({ endpoint, region, credentials: server, maxAttempts });
  const stop = emr.stop.bind(emr);
  return Object.assign(emr, {
    folder,
    client,
    stop: async () => {
      client.destroy();
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  });
}

/** Starts a local EMR Serverless for one test. `stop()` also removes its folder. */
export async function startTestServerless(
  { server }: TestS3,
  sparkDefaults: Record<string, string> = QUICK_SPARK.Properties,
): Promise<ServerlessServer & { folder: string; env: Record<string, string> }> {
  const programs = await locateEmrPrograms();
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-serverless-'));
  const serverless = await startLocalEmrServerless({ folder, s3: server, programs, sparkDefaults });
  const stop = serverless.stop.bind(serverless);
  const env = {
    AWS_ENDPOINT_URL_EMR_SERVERLESS: serverless.endpoint,
    EMR_SERVERLESS_APPLICATION_ID: serverless.applicationId,
    EMR_SERVERLESS_ROLE_ARN: serverless.roleArn,
  };
  return Object.assign(serverless, {
    folder,
    env,
    stop: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  });
}
