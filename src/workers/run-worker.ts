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
import { loadDatasets } from '../config/load-datasets.ts';

/** Progress should be fresh. By default the SDK sends a heartbeat only every 30 s. */
const MAX_HEARTBEAT_THROTTLE_MS = 1000;
/** Runs of a killed worker wait this long for it. If a worker is only busy, it replays its runs a little more often. */
const STICKY_TIMEOUT = '2s';
/** Time for checkpoints after the grace time. Work that does not end then ends with the process. */
const CHECKPOINT_MS = 50_000;
/**
 * Most of these activities only wait for a run's end on behalf of a schedule, which costs nothing. The others are
 * short: a listing, a manifest, or the footers and checksums of Parquet files.
 */
const CONTROL_SLOTS = 1000;
/** Downloads and conversions of backfilled days run beside the others. They are not urgent. */
const BACKFILL_SLOTS = 1;

export interface WorkerTarget {
  settings: Settings;
  /** `host:port`. */
  address: string;
  namespace: string;
  /** When it aborts, the worker stops polling, writes its checkpoints and ends. */
  signal: AbortSignal;
  /** Called once, when the worker polls every task queue. Its argument is valid until the worker ends. */
  ready: (running: RunningWorker) => void;
}

export interface RunningWorker {
  connection: NativeConnection;
  /** One worker for each task queue; the first one runs the workflows. */
  workers: readonly Worker[];
}

/**
 * Builds everything: settings → lake → activities → workers, one for each task queue of the lake, on one connection. It
 * resolves after shutdown.
 * @throws LonghaulError TEMPORAL_UNREACHABLE; LAKE_NAMESPACE_TAKEN.
 */
export async function runWorker(target: WorkerTarget): Promise<void> {
  const { settings, namespace } = target;
  const connection = await connect(target);
  try {
    const identity = await identityOfLake(settings.lake);
    await claimNamespace(new Client({ connection, namespace }), identity);
    const { datasetsFile } = settings;
    const secretsOf = addressSecrets(datasetsFile, ofThisProcess());
    const deps: ActivityDeps = { ...settings, ...(await openLake(settings)), secretsOf };
    // A worker reads datasets.yaml anew for each run.
    const datasets = () => loadDatasets(datasetsFile);
    const { heartbeatTimeoutMs } = settings.activity;
    const activities = createActivities(deps, { ...settings, heartbeatTimeoutMs, datasets });
    const isMeasured = settings.worker.metricsAddress !== undefined;
    const ages = isMeasured ? watchSnapshotAges(deps) : undefined;
    const clusters = isMeasured ? watchOpenClusters(settings) : undefined;
    const common = commonOptions(target, connection, (activity) => {
      if (activity === 'publishSnapshot') ages?.lookSoon();
      if (activity === 'openCluster' || activity === 'closeCluster') clusters?.lookSoon();
    });
    const workers: Worker[] = [];
    for (const options of workersOf(queuesOf(identity.id), settings)) {
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
async function connect({ settings, address }: WorkerTarget): Promise<NativeConnection> {
  const { address: configured, tls, apiKey, metadata } = settings.temporal;
  // The embedded server is on this machine's loopback, so settings for another server do not apply.
  const more = configured === undefined ? {} : { tls, metadata, apiKey };
  try {
    return await NativeConnection.connect({ address, ...more });
  } catch (error) {
    const reason = error instanceof Error ? printable(error.message) : String(error);
    const message = `The worker cannot connect to Temporal at ${address}: ${reason}`;
    throw new LonghaulError('TEMPORAL_UNREACHABLE', message, {}, { cause: error });
  }
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
        // The reason is in docs/decisions/0018.
        defaultVersioningBehavior: 'AUTO_UPGRADE',
      },
    }),
  } satisfies Partial<WorkerOptions>;
}

/** All workers have all activities. The workflow decides which queue runs which step. */
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

/** The workflow bundle of the build. The tests' build has no bundle, so the SDK bundles the workflows at start. */
function workflowSource(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const codePath = fileURLToPath(new URL('../workflows/bundle.js', import.meta.url));
  if (existsSync(codePath)) return { workflowBundle: { codePath } };
  return { workflowsPath: fileURLToPath(new URL('../workflows/index.js', import.meta.url)) };
}
