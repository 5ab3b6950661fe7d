import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createLakeActivities, createSharedActivities } from '../activities/index.ts';
import type { Settings } from '../config/settings.ts';
import { TASK_QUEUE } from '../model/run.ts';
import { openLakes } from './lakes.ts';

/** Progress should be fresh: the default throttle lets a heartbeat through every 30 s. */
const MAX_HEARTBEAT_THROTTLE_MS = 1000;
/** Enough to write a checkpoint and go; less than any service manager waits before it kills. */
const SHUTDOWN_GRACE = '10s';
/** A worker that was killed keeps its runs waiting for this long; a busy one only replays a little more often. */
const STICKY_TIMEOUT = '2s';
/** Sources of several runs at once: each landing holds some MiB, each conversion DuckDB's memory limit. */
const MAX_LAKE_ACTIVITIES = 4;

export interface WorkerTarget {
  settings: Settings;
  /** `host:port`. */
  address: string;
  namespace: string;
  /** Aborting it shuts the worker down in order: stop polling, checkpoint, go. */
  signal: AbortSignal;
  /** Called once, when every task queue is polled. */
  ready: () => void;
}

/**
 * The composition root: settings → lakes → activities → workers on one connection: one for the workflows and what
 * any worker may do, and one for each lake that this one reaches. Resolves after shutdown.
 */
export async function runWorker(target: WorkerTarget): Promise<void> {
  const { settings } = target;
  const connection = await NativeConnection.connect({
    address: target.address,
    ...(settings.temporal.tls ? { tls: true } : {}),
    ...(settings.temporal.apiKey === undefined ? {} : { apiKey: settings.temporal.apiKey }),
  });
  try {
    const lakes = await openLakes(settings);
    const common = {
      connection,
      namespace: target.namespace,
      maxHeartbeatThrottleInterval: MAX_HEARTBEAT_THROTTLE_MS,
      shutdownGraceTime: SHUTDOWN_GRACE,
    } satisfies Partial<WorkerOptions>;
    const workers = [
      await Worker.create({
        ...common,
        ...workflowSource(),
        activities: createSharedActivities(settings, lakes.of),
        taskQueue: TASK_QUEUE,
        stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
      }),
    ];
    for (const deps of lakes.all) {
      const worker = await Worker.create({
        ...common,
        activities: createLakeActivities(deps),
        taskQueue: deps.lakeQueue,
        maxConcurrentActivityTaskExecutions: MAX_LAKE_ACTIVITIES,
      });
      workers.push(worker);
    }
    await runUntil(target, workers);
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

/** Built: the bundle that the build made. From source: the workflows themselves, bundled at start. */
function workflowSource(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const codePath = fileURLToPath(new URL('../workflows/bundle.js', import.meta.url));
  if (existsSync(codePath)) return { workflowBundle: { codePath } };
  return { workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)) };
}
