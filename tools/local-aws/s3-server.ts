import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../src/embedded/loopback.ts';
import { rotateLog } from '../../src/embedded/state-files.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { startChild, type Child } from '../../src/programs/child.ts';

export interface S3ServerOptions {
  /** Folder with the buckets (`buckets`), the objects' metadata (`meta`) and a log. It is kept from start to start. */
  folder: string;
  /** Path of versitygw. */
  program: string;
  /** Port on loopback. The default is a free one. */
  port?: number;
  accessKeyId?: string;
  /** The default is random, and only in this process's memory and in the server's environment. */
  secretAccessKey?: string;
}

export interface S3Server {
  /** `http://127.0.0.1:<port>`. */
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** Makes a bucket. It is no error if the bucket exists. */
  createBucket(name: string): Promise<void>;
  /** Resolves when the server has ended. */
  stop(): Promise<void>;
}

/** The default region of versitygw. */
const REGION = 'us-east-1';
/** The start takes 0.2 s. On a cold, slow disk or a machine under load, it takes longer. */
const START_LIMIT_MS = 30_000;
const POLL_MS = 50;
/** The server has no work to finish, because clients count only answered writes. */
const STOP_LIMIT_MS = 5000;

/**
 * Starts an S3 over a folder on this machine, on loopback only, for the demo and the tests. It ends when this process
 * ends in any way. It has its own process group, so that Ctrl-C reaches the programs that use it first.
 * @throws LonghaulError EMBEDDED_FAILED if it does not start.
 */
export async function startS3Server(options: S3ServerOptions): Promise<S3Server> {
  const { folder, accessKeyId = 'longhaul' } = options;
  const { secretAccessKey = randomBytes(20).toString('hex') } = options;
  const buckets = join(folder, 'buckets');
  await mkdir(buckets, { recursive: true });
  await mkdir(join(folder, 'meta'), { recursive: true });
  const port = options.port ?? (await freePort());
  const endpoint = `http://127.0.0.1:${port}`;
  // Another server may have taken the port first. Only this one answers at this path.
  const healthPath = `/${randomUUID()}`;
  const keys = { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey };
  const server = await launch(options, port, healthPath, keys);
  const stop = async (): Promise<void> => void (await server.stop(STOP_LIMIT_MS));
  if (!(await comesUp(server, endpoint + healthPath))) {
    await stop();
    const hint = `Its log is ${logPath(folder)}.`;
    throw new LonghaulError('EMBEDDED_FAILED', `The S3 server did not start on port ${port}.`, {
      hint,
    });
  }
  return {
    endpoint,
    region: REGION,
    accessKeyId,
    secretAccessKey,
    // versitygw takes each folder for a bucket.
    createBucket: async (name) => void (await mkdir(join(buckets, name), { recursive: true })),
    stop,
  };
}

async function launch(
  { folder, program }: S3ServerOptions,
  port: number,
  healthPath: string,
  keys: Record<string, string>,
): Promise<Child> {
  const log = logPath(folder);
  await rotateLog(log);
  const server = ['--port', `127.0.0.1:${port}`, '--region', REGION, '--health', healthPath];
  const quietly = ['--keep-alive', '--quiet'];
  const store = ['posix', '--sidecar', join(folder, 'meta'), join(folder, 'buckets')];
  const words = [program, ...server, ...quietly, ...store];
  return await startChild(words, { env: keys, folder, stdout: log, stderr: log });
}

function logPath(folder: string): string {
  return join(folder, 's3.log');
}

async function comesUp(server: Child, healthUrl: string): Promise<boolean> {
  const limit = performance.now() + START_LIMIT_MS;
  while (!server.hasEnded() && performance.now() < limit) {
    const answer = await fetch(healthUrl).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return !server.hasEnded();
    await sleep(POLL_MS);
  }
  return false;
}
