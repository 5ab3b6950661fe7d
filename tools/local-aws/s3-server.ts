import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../src/embedded/loopback.ts';
import { rotateLog } from '../../src/embedded/state-files.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { startChild, type Child } from '../../src/programs/child.ts';

export interface S3ServerOptions {
  /** Holds the buckets (`buckets`), what S3 knows of the objects (`meta`) and a log; kept from start to start. */
  folder: string;
  /** versitygw. */
  program: string;
  /** On loopback; a free one by default. */
  port?: number;
  accessKeyId?: string;
  /** By default a random one, which is in this process's memory and the server's environment only. */
  secretAccessKey?: string;
}

export interface S3Server {
  /** `http://127.0.0.1:<port>`. */
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** No error where it is there already. */
  createBucket(name: string): Promise<void>;
  /** Ends when the server has. */
  stop(): Promise<void>;
}

/** versitygw's default. */
const REGION = 'us-east-1';
/** It takes 0.2 s; a cold, slow disk and a machine under load take longer. */
const START_LIMIT_MS = 30_000;
const POLL_MS = 50;
/** It has nothing to finish: what is not answered is not written. */
const STOP_LIMIT_MS = 5000;

/**
 * An S3 of this machine's own over a folder, on loopback only, for the demo and the tests. It ends with this
 * process, however that ends, and is in a process group of its own, so that Ctrl-C reaches what uses it first.
 * @throws LonghaulError EMBEDDED_FAILED where it does not come up.
 */
export async function startS3Server(options: S3ServerOptions): Promise<S3Server> {
  const { folder, accessKeyId = 'longhaul' } = options;
  const { secretAccessKey = randomBytes(20).toString('hex') } = options;
  const buckets = join(folder, 'buckets');
  await mkdir(buckets, { recursive: true });
  await mkdir(join(folder, 'meta'), { recursive: true });
  const port = options.port ?? (await freePort());
  const endpoint = `http://127.0.0.1:${port}`;
  // Only this server answers there: another may have got the port first.
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
    // To versitygw, a folder is a bucket.
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
