import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { Client } from '@temporalio/client';
import { createActivities } from '../activities/index.ts';
import type { Settings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { queuesOf, type TaskQueues } from '../model/run.ts';
import { claimNamespace } from '../runs/lake-namespace.ts';
import { activityTelemetry } from './telemetry.ts';
import { watchOpenClusters, watchSnapshotAges } from './gauges.ts';
import type { ActivityDeps } from '../activities/deps.ts';
import { addressSecrets } from '../config/address-secrets.ts';
import { ofThisProcess } from '../config/load-config.ts';
import { identityOfLake, openLake } from '../storage/open-lake.ts';
import type { RunDefaults } from '../activities/days.ts';
import { loadDatasets } from '../config/load-datasets.ts';

/** Progress should be fresh: the default throttle lets a heartbeat through every 30 s. */
const MAX_HEARTBEAT_THROTTLE_MS = 1000;
/** A worker that was killed keeps its runs waiting for this long; a busy one only replays a little more often. */
const STICKY_TIMEOUT = '2s';
/** For checkpoints, after the grace time; what does not end then is left behind, and ends with the process. */
const CHECKPOINT_MS = 50_000;
/**
 * Most of them only wait for a run's end (a schedule's), which costs nothing; the others are short: a listing, a
 * manifest, the footers and checksum of what was converted.
 */
const CONTROL_SLOTS = 1000;
/** Downloads and conversions of backfilled days, beside the others: they are in no hurry. */
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
  /** One a task queue, that of the workflows first. */
  workers: readonly Worker[];
}

/**
 * The composition root: settings → lake → activities → workers on one connection, one for each task queue of the lake.
 * Resolves after shutdown.
 * @throws LonghaulError TEMPORAL_UNREACHABLE; LAKE_NAMESPACE_TAKEN.
 */
export async function runWorker(target: WorkerTarget): Promise<void> {
  const { settings } = target;
  const connection = await connect(target);
  try {
    const queues = await claimLake(target, connection);
    const deps = await openDeps(settings);
    const isMeasured = settings.worker.metricsAddress !== undefined;
    const ages = isMeasured ? watchSnapshotAges(deps) : undefined;
    const clusters = isMeasured ? watchOpenClusters(settings) : undefined;
    const common = commonOptions(target, connection, (activity) => {
      if (activity === 'publishSnapshot') ages?.lookSoon();
      if (activity === 'openCluster' || activity === 'closeCluster') clusters?.lookSoon();
    });
    const activities = createActivities(deps, runDefaultsOf(settings));
    const workers: Worker[] = [];
    for (const options of workersOf(queues, settings)) {
      workers.push(await Worker.create({ ...common, activities, ...options }));
    }
    try {
      await runUntil(target, { connection, workers });
    } finally {
      await Promise.all([ages?.stop(), clusters?.stop()]);
    }
  } finally {
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

/** What the activities of this worker touch: its one lake, and the settings. */
async function openDeps(settings: Settings): Promise<ActivityDeps> {
  const { http, addresses, duckdb, spark, activity, emr, glueDatabase, datasetsFile } = settings;
  return {
    ...(await openLake(settings)),
    ...{ http, addresses, duckdb, spark, activity, emr, glueDatabase },
    secretsOf: addressSecrets(datasetsFile, ofThisProcess()),
  };
}

/** What this worker knows that a run's input does not say. datasets.yaml is read anew each time. */
function runDefaultsOf(settings: Settings): RunDefaults {
  const { engine, sourceConcurrency, activity, datasetsFile } = settings;
  const { heartbeatTimeoutMs } = activity;
  return {
    ...{ engine, sourceConcurrency, heartbeatTimeoutMs },
    datasets: () => loadDatasets(datasetsFile),
  };
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

/** The namespace is this lake's from now on. @returns the lake's task queues. */
async function claimLake(
  { settings: { lake }, namespace }: WorkerTarget,
  connection: NativeConnection,
): Promise<TaskQueues> {
  const identity = await identityOfLake(lake);
  await claimNamespace(new Client({ connection, namespace }), identity);
  return queuesOf(identity.id);
}

/** All of them know all activities: the workflow says which queue has which step. */
function workersOf(queues: TaskQueues, { worker }: Settings) {
  const ofQueue = (taskQueue: string, slots: number) => ({
    taskQueue,
    maxConcurrentActivityTaskExecutions: slots,
  });
  return [
    {
      ...ofQueue(queues.control, CONTROL_SLOTS),
      ...workflowSource(),
      stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
    },
    ofQueue(queues.transfer, worker.transferSlots),
    ofQueue(queues.convert, worker.convertSlots),
    ofQueue(queues.backfill, BACKFILL_SLOTS),
  ] satisfies Partial<WorkerOptions>[];
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
