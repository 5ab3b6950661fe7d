import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../../src/model/errors.ts';
import { END_WITH_PARENT } from '../../src/programs/end-with-parent.ts';
import { freePorts } from '../../src/embedded/free-ports.ts';
import { rotateLog } from '../../src/embedded/state-files.ts';

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
  const port = options.port ?? (await freePorts([])).port;
  const endpoint = `http://127.0.0.1:${port}`;
  // Only this server answers there: another may have got the port first.
  const healthPath = `/${randomUUID()}`;
  const keys = { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey };
  const server = await launch(options, port, healthPath, keys);
  const stop = async (): Promise<void> => await end(server);
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
): Promise<ChildProcess> {
  await rotateLog(logPath(folder));
  const log = await open(logPath(folder), 'a');
  const server = ['--port', `127.0.0.1:${port}`, '--region', REGION, '--health', healthPath];
  const quietly = ['--keep-alive', '--quiet'];
  const store = ['posix', '--sidecar', join(folder, 'meta'), join(folder, 'buckets')];
  const command = [program, ...server, ...quietly, ...store];
  try {
    const child = spawn('/bin/sh', ['-c', END_WITH_PARENT, 'longhaul-s3', ...command], {
      detached: true,
      // Nothing else of this process's environment concerns it: above all no credentials.
      env: keys,
      stdio: ['ignore', log.fd, log.fd, 'pipe'],
    });
    await once(child, 'spawn');
    return child;
  } finally {
    await log.close();
  }
}

function logPath(folder: string): string {
  return join(folder, 's3.log');
}

async function comesUp(server: ChildProcess, healthUrl: string): Promise<boolean> {
  const limit = performance.now() + START_LIMIT_MS;
  while (!hasEnded(server) && performance.now() < limit) {
    const answer = await fetch(healthUrl).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return !hasEnded(server);
    await sleep(POLL_MS);
  }
  return false;
}

async function end(server: ChildProcess): Promise<void> {
  const kill = setTimeout(() => server.kill('SIGKILL'), STOP_LIMIT_MS);
  const ended = hasEnded(server) ? undefined : once(server, 'exit');
  server.kill('SIGTERM');
  await ended;
  clearTimeout(kill);
  // A line lets the one who waits go: at the pipe's end it would kill whoever has that pid by now.
  (server.stdio[3] as Writable | null | undefined)?.end('\n');
}

function hasEnded(server: ChildProcess): boolean {
  return server.exitCode !== null || server.signalCode !== null;
}
