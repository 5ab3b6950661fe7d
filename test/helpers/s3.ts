import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { S3Settings } from '../../src/config/settings.ts';

/** A real S3 gateway of the test's own, over a folder, with one bucket. */
export interface TestS3 {
  /** `http://127.0.0.1:<port>`. */
  endpoint: string;
  bucket: string;
  settings: S3Settings;
  /** What a process needs in its environment to use it as any AWS SDK does; `AWS_ENDPOINT_URL_S3` is the gateway. */
  env: Record<string, string>;
  /** For looking at the bucket behind the program's back. */
  client: S3Client;
  close(): Promise<void>;
}

const VERSITYGW = resolve(import.meta.dirname, '../../.tools/versitygw-1.8.0/versitygw');
const START_LIMIT_MS = 20_000;

export async function startS3(): Promise<TestS3> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-s3-'));
  const port = await freePort();
  await mkdir(join(folder, 'buckets'));
  await mkdir(join(folder, 'meta'));
  const endpoint = `http://127.0.0.1:${port}`;
  const env = {
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test-secret',
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_S3: endpoint,
  };
  const gateway = spawn(
    VERSITYGW,
    [
      ...['--quiet', '--keep-alive', '--port', `127.0.0.1:${port}`],
      ...['posix', '--sidecar', join(folder, 'meta'), join(folder, 'buckets')],
    ],
    {
      stdio: 'ignore',
      env: { ROOT_ACCESS_KEY: env.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: env.AWS_SECRET_ACCESS_KEY },
    },
  );
  const ended = once(gateway, 'close');
  const client = clientOf(endpoint, env);
  const close = async (): Promise<void> => {
    client.destroy();
    gateway.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const bucket = 'longhaul-test';
  try {
    await makeBucket(client, bucket);
    return { endpoint, bucket, settings: settingsOf(bucket), env, client, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function clientOf(endpoint: string, env: Record<string, string>): S3Client {
  return new S3Client({
    endpoint,
    region: env['AWS_REGION'] ?? '',
    forcePathStyle: true,
    credentials: {
      accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
    },
  });
}

function settingsOf(bucket: string): S3Settings {
  return {
    bucket,
    rawPrefix: 'takehome-raw/',
    convertedPrefix: 'takehome-converted/',
    pathStyle: true,
    checksums: true,
    uploadConcurrency: 4,
    connectTimeoutMs: 2000,
    stallTimeoutMs: 2000,
  };
}

async function makeBucket(client: S3Client, bucket: string): Promise<void> {
  const end = Date.now() + START_LIMIT_MS;
  for (;;) {
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await delay(50);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
