import { Runtime } from '@temporalio/worker';
import type { ActivityDeps } from '../activities/deps.ts';
import { findSnapshot, readCatalogue } from '../lake/catalogue.ts';
import type { Settings } from '../config/settings.ts';

/** Cheap looks (a listing each), but not for every look at the metrics page. */
const INTERVAL_MS = 60_000;

export interface Watch {
  /** Something may have changed. */
  lookSoon(): void;
  stop(): Promise<void>;
}

/**
 * Looks once a minute, one look at a time, while a worker runs; a look that fails is logged and made again.
 * @param what the log says is unknown then.
 * @param options.waiting the first look is not before `lookSoon`.
 */
function watchEveryMinute(
  what: string,
  look: (isStopped: () => boolean) => Promise<void>,
  { waiting = false }: { waiting?: boolean } = {},
): Watch {
  const { logger } = Runtime.instance();
  let running = Promise.resolve();
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const lookSoon = (): void => {
    if (stopped) return;
    timer ??= setInterval(lookSoon, INTERVAL_MS);
    running = running
      .then(async () => await look(() => stopped))
      .catch((error: unknown) => {
        logger.warn(`${what} cannot be read`, { error });
      });
  };
  if (!waiting) lookSoon();
  return {
    lookSoon,
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}

/** Keeps the gauges of how old each dataset's newest snapshot is, while a worker runs. */
export function watchSnapshotAges({ converted }: Pick<ActivityDeps, 'converted'>): Watch {
  const age = Runtime.instance().metricMeter.createGauge('longhaul_snapshot_age_seconds', 'float');
  const known = new Set<string>();
  return watchEveryMinute('The ages of snapshots', async (isStopped) => {
    const published = await readCatalogue(converted);
    for (const { name } of published) known.add(name);
    for (const name of known) {
      // All of it was unpublished: a gauge keeps its last value, which would look fresh.
      if (!published.some((each) => each.name === name)) age.set(Infinity, { dataset: name });
    }
    for (const { name } of published) {
      const snapshot = isStopped() ? undefined : await findSnapshot(converted, name);
      if (!snapshot) continue;
      const ageMs = Date.now() - Date.parse(snapshot.publishedAt);
      age.set(Math.max(0, ageMs / 1000), { dataset: name });
    }
  });
}

/**
 * Keeps the gauge of how many clusters of Longhaul's are open, as EMR lists them for this worker's account and region:
 * from the first cluster on that this worker has to do with, or from the start where emr is the engine.
 */
export function watchOpenClusters({ engine }: Settings): Watch {
  const open = Runtime.instance().metricMeter.createGauge('longhaul_open_clusters', 'int');
  const look = async (): Promise<void> => {
    const { listOurClusters } = await import('../emr/clusters.ts');
    open.set((await listOurClusters()).length);
  };
  return watchEveryMinute('The number of open clusters', look, {
    waiting: engine !== 'emr',
  });
}
