import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, realpath } from 'node:fs/promises';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import type { ActivityDeps } from '../activities/deps.ts';
import type { Settings } from '../config/settings.ts';
import { TASK_QUEUE } from '../model/run.ts';
import { DiskStore } from '../storage/disk-store.ts';

/** Progress should be fresh: the default throttle lets a heartbeat through every 30 s. */
const MAX_HEARTBEAT_THROTTLE_MS = 1000;
/** Enough to write a checkpoint and go; less than any service manager waits before it kills. */
const SHUTDOWN_GRACE = '10s';
/** A worker that was killed keeps its runs waiting for this long; a busy one only replays a little more often. */
const STICKY_TIMEOUT = '2s';
/** Sources of several runs at once: each landing holds some MiB, each conversion DuckDB's memory limit. */
const MAX_HOST_ACTIVITIES = 4;

export interface WorkerTarget {
  settings: Settings;
  /** `host:port`. */
  address: string;
  namespace: string;
  /** Aborting it shuts the worker down in order: stop polling, checkpoint, go. */
  signal: AbortSignal;
  /** Called once, when both task queues are polled. */
  ready: () => void;
}

/**
 * The composition root: settings → dependencies → activities → two workers on one connection, one for the
 * workflows and what any host may do, one for what is bound to this host's disk. Resolves after shutdown.
 */
export async function runWorker(target: WorkerTarget): Promise<void> {
  const { settings } = target;
  const connection = await NativeConnection.connect({
    address: target.address,
    ...(settings.temporal.tls ? { tls: true } : {}),
    ...(settings.temporal.apiKey === undefined ? {} : { apiKey: settings.temporal.apiKey }),
  });
  try {
    const deps = await buildDeps(settings);
    const common = {
      connection,
      namespace: target.namespace,
      activities: createActivities(deps),
      maxHeartbeatThrottleInterval: MAX_HEARTBEAT_THROTTLE_MS,
      shutdownGraceTime: SHUTDOWN_GRACE,
    } satisfies Partial<WorkerOptions>;
    const shared = await Worker.create({
      ...common,
      ...workflowSource(),
      taskQueue: TASK_QUEUE,
      stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
    });
    const host = await Worker.create({
      ...common,
      taskQueue: deps.hostQueue,
      maxConcurrentActivityTaskExecutions: MAX_HOST_ACTIVITIES,
    });
    await runUntil(target, [shared, host]);
  } finally {
    await connection.close();
  }
}

async function runUntil(target: WorkerTarget, workers: Worker[]): Promise<void> {
  const stop = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const runs = workers.map(async (worker) => {
    await worker.run();
  });
  target.signal.addEventListener('abort', stop, { once: true });
  if (target.signal.aborted) stop();
  else target.ready();
  try {
    await Promise.all(runs);
  } finally {
    target.signal.removeEventListener('abort', stop);
    stop();
    await Promise.allSettled(runs);
  }
}

async function buildDeps(settings: Settings): Promise<ActivityDeps> {
  await mkdir(settings.dataDir, { recursive: true });
  return {
    raw: new DiskStore(settings.rawDir),
    converted: new DiskStore(settings.convertedDir),
    http: settings.http,
    addresses: settings.addresses,
    duckdb: settings.duckdb,
    activity: settings.activity,
    hostQueue: await hostQueueOf(settings.dataDir),
  };
}

/** The same after a restart, so that a run goes on where its files are; another for every host and lake. */
async function hostQueueOf(dataDir: string): Promise<string> {
  const identity = `${hostname()}\0${await realpath(dataDir)}`;
  return `${TASK_QUEUE}@${createHash('sha256').update(identity).digest('hex').slice(0, 12)}`;
}

/** Built: the bundle that the build made. From source: the workflows themselves, bundled at start. */
function workflowSource(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const codePath = fileURLToPath(new URL('../workflows/bundle.js', import.meta.url));
  if (existsSync(codePath)) return { workflowBundle: { codePath } };
  return { workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)) };
}
