import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import {
  createLakeActivities,
  createRunActivities,
  createSharedActivities,
} from '../activities/index.ts';
import type { ActivityDeps } from '../activities/deps.ts';
import type { Settings } from '../config/settings.ts';
import { sparkSessions } from '../conversion/spark/sessions.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { TASK_QUEUE } from '../model/run.ts';
import { activityTelemetry } from './activity-telemetry.ts';
import { openLakes } from './lakes.ts';
import { watchOpenClusters } from './open-clusters.ts';
import { runDefaultsOf } from './run-defaults.ts';
import { watchSnapshotAges } from './snapshot-ages.ts';

/** Progress should be fresh: the default throttle lets a heartbeat through every 30 s. */
const MAX_HEARTBEAT_THROTTLE_MS = 1000;
/** A worker that was killed keeps its runs waiting for this long; a busy one only replays a little more often. */
const STICKY_TIMEOUT = '2s';
/** For checkpoints, after the grace time; what does not end then is left behind, and ends with the process. */
const CHECKPOINT_MS = 50_000;
/** Most of them only wait for a run's end (a schedule's, one started by hand), which costs nothing. */
const SHARED_SLOTS = 1000;
/** Short steps of one lake at once: a listing, a manifest, the footers and checksum of what was converted. */
const LAKE_SLOTS = 4;
/** Downloads and conversions of backfilled days, of one lake, beside the others: they are in no hurry. */
const BACKFILL_SLOTS = 1;

export interface WorkerTarget {
  settings: Settings;
  /** `host:port`. */
  address: string;
  namespace: string;
  /** Aborting it shuts the worker down in order: stop polling, checkpoint, go. */
  signal: AbortSignal;
  /** Called once, when every task queue is polled; what it gets is good until the end. */
  ready: (running: RunningWorker) => void;
}

export interface RunningWorker {
  connection: NativeConnection;
  /** One a task queue. */
  workers: readonly Worker[];
}

/**
 * The composition root: settings → lakes → activities → workers on one connection: one for the workflows and what
 * any worker may do, and some for each lake that this one reaches, by the kind of work. Resolves after shutdown.
 */
export async function runWorker(target: WorkerTarget): Promise<void> {
  const { settings } = target;
  const connection = await connect(target);
  const sparks = sparkSessions(settings.spark);
  try {
    const lakes = await openLakes(settings, sparks.run);
    const isMeasured = settings.worker.metricsAddress !== undefined;
    const ages = isMeasured ? watchSnapshotAges(lakes.all) : undefined;
    const clusters = isMeasured ? watchOpenClusters(settings) : undefined;
    const common = commonOptions(target, connection, (activity) => {
      if (activity === 'publishSnapshot') ages?.lookSoon();
      clusters?.ended(activity);
    });
    const workers = [
      await Worker.create({
        ...common,
        ...workflowSource(),
        activities: {
          ...createSharedActivities(settings, lakes.of),
          ...createRunActivities(runDefaultsOf(settings)),
        },
        maxConcurrentActivityTaskExecutions: SHARED_SLOTS,
        taskQueue: TASK_QUEUE,
        stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
      }),
    ];
    for (const deps of lakes.all) {
      for (const queue of queuesOf(deps, settings)) {
        workers.push(await Worker.create({ ...common, ...queue }));
      }
    }
    try {
      await runUntil(target, { connection, workers });
    } finally {
      await Promise.all([ages?.stop(), clusters?.stop()]);
    }
  } finally {
    await sparks.close();
    await connection.close();
  }
}

/** @throws LonghaulError TEMPORAL_UNREACHABLE. */
async function connect(target: WorkerTarget): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(connectionOf(target));
  } catch (error) {
    const reason = error instanceof Error ? printable(error.message) : String(error);
    const message = `The worker cannot connect to Temporal at ${target.address}: ${reason}`;
    throw new LonghaulError('TEMPORAL_UNREACHABLE', message, {}, { cause: error });
  }
}

/** The embedded server is on this machine's loopback, whatever the settings say of others. */
function connectionOf({ settings, address }: WorkerTarget) {
  const { address: configured, tls, apiKey, metadata } = settings.temporal;
  if (configured === undefined) return { address };
  return { address, tls, metadata, apiKey };
}

function commonOptions(
  { settings, namespace }: WorkerTarget,
  connection: NativeConnection,
  onDone: (activity: string) => void,
) {
  const { graceMs, version } = settings.worker;
  return {
    connection,
    namespace,
    maxHeartbeatThrottleInterval: MAX_HEARTBEAT_THROTTLE_MS,
    shutdownGraceTime: graceMs,
    shutdownForceTime: graceMs + CHECKPOINT_MS,
    interceptors: { activity: [(context) => activityTelemetry(context, onDone)] },
    ...(version && {
      workerDeploymentOptions: {
        version,
        useWorkerVersioning: true,
        // See docs/decisions/0018.
        defaultVersioningBehavior: 'AUTO_UPGRADE',
      },
    }),
  } satisfies Partial<WorkerOptions>;
}

/** All of them know all activities: which queue has which step is said by the workflow. */
function queuesOf(deps: ActivityDeps, { worker }: Settings) {
  const activities = createLakeActivities(deps);
  const queue = (taskQueue: string, slots: number) => ({
    activities,
    taskQueue,
    maxConcurrentActivityTaskExecutions: slots,
  });
  return [
    queue(deps.lakeQueue, LAKE_SLOTS),
    queue(deps.stepQueues.transfer, worker.transferSlots),
    queue(deps.stepQueues.convert, worker.convertSlots),
    queue(deps.backfillQueue, BACKFILL_SLOTS),
  ];
}

async function runUntil(target: WorkerTarget, running: RunningWorker): Promise<void> {
  const { workers } = running;
  const stop = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const runs = workers.map(async (worker) => {
    await worker.run();
  });
  target.signal.addEventListener('abort', stop, { once: true });
  if (target.signal.aborted) stop();
  else target.ready(running);
  try {
    await Promise.all(runs);
  } finally {
    target.signal.removeEventListener('abort', stop);
    stop();
    await Promise.allSettled(runs);
  }
}

/** The bundle that the build made. The tests' build makes none: the workflows themselves, bundled at start. */
function workflowSource(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const codePath = fileURLToPath(new URL('../workflows/bundle.js', import.meta.url));
  if (existsSync(codePath)) return { workflowBundle: { codePath } };
  return { workflowsPath: fileURLToPath(new URL('../workflows/index.js', import.meta.url)) };
}
