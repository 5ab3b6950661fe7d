import type { S3Client } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { S3Settings } from '../../src/config/settings.ts';
import { startS3Server } from '../../tools/local-aws/s3-server.ts';
import type { LocalS3 } from '../../tools/local-aws/spark-site.ts';
import { locateVersitygw } from '../../tools/local-aws/versitygw.ts';
import { createS3Client } from '../../src/storage/s3/client.ts';

/** A real S3 gateway of one test over a folder, with one bucket. */
export interface TestS3 {
  /** `http://127.0.0.1:<port>`. */
  endpoint: string;
  bucket: string;
  settings: S3Settings;
  /** Environment with which a process reaches the gateway through any AWS SDK. `AWS_ENDPOINT_URL_S3` is its address. */
  env: TestS3Env;
  /** Address and credentials for a local EMR that uses this gateway. */
  server: LocalS3;
  /** Client with which a test looks at the bucket without Longhaul. */
  client: S3Client;
  close(): Promise<void>;
}

export interface TestS3Env extends Record<string, string> {
  AWS_ACCESS_KEY_ID: string;
  AWS_SECRET_ACCESS_KEY: string;
  AWS_REGION: string;
  AWS_ENDPOINT_URL_S3: string;
}

const BUCKET = 'longhaul-test';

export async function startS3(): Promise<TestS3> {
  const program = await locateVersitygw({
    given: process.env['VERSITYGW'],
    searchPath: process.env['PATH'],
  });
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-s3-'));
  const removeFolder = async (): Promise<void> =>
    await rm(folder, { recursive: true, force: true });
  const server = await startS3Server({ folder, program }).catch(async (error: unknown) => {
    await removeFolder();
    throw error;
  });
  const { endpoint, accessKeyId, secretAccessKey, region } = server;
  await server.createBucket(BUCKET);
  const credentials = { accessKeyId, secretAccessKey };
  const client = createS3Client(s3Settings(), { endpoint, region, credentials });
  return {
    endpoint,
    bucket: BUCKET,
    settings: s3Settings(),
    env: {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: region,
      AWS_ENDPOINT_URL_S3: endpoint,
    },
    server,
    client,
    close: async () => {
      client.destroy();
      await server.stop();
      await removeFolder();
    },
  };
}

/**
 * Starts a gateway before the tests of a file or a suite, and stops it after them. Threads and child processes of this
 * process find it too.
 */
export function sharedS3(): { readonly s3: TestS3 } {
  let started: TestS3 | undefined;
  before(async () => {
    started = await startS3();
    Object.assign(process.env, started.env);
  });
  after(async () => await started?.close());
  return {
    get s3() {
      return started ?? assert.fail('the gateway is there while tests run');
    },
  };
}

export function s3Settings(changes: Partial<S3Settings> = {}): S3Settings {
  return {
    bucket: BUCKET,
    kind: 's3',
    prefix: '',
    pathStyle: true,
    checksums: true,
    uploadConcurrency: 4,
    connectTimeoutMs: 2000,
    stallTimeoutMs: 2000,
    ...changes,
  };
}
