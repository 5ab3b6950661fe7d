import { Runtime } from '@temporalio/worker';
import type { ActivityDeps } from '../activities/deps.ts';
import { findSnapshot, readCatalogue } from '../lake/catalogue.ts';
import type { Settings } from '../config/settings.ts';

/** Each look costs one listing. That is cheap, but too much for each request to the metrics page. */
const INTERVAL_MS = 60_000;

export interface Watch {
  /** The watch looks soon, because something may have changed. */
  lookSoon(): void;
  stop(): Promise<void>;
}

/**
 * Looks once a minute while a worker runs, one look at a time. If a look fails, it is logged and repeated.
 * @param what the subject of the log's message that it cannot be read.
 * @param options.waiting the first look waits for `lookSoon`.
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

/** Updates the gauges of the age of each dataset's newest snapshot while a worker runs. */
export function watchSnapshotAges({ converted }: Pick<ActivityDeps, 'converted'>): Watch {
  const age = Runtime.instance().metricMeter.createGauge('longhaul_snapshot_age_seconds', 'float');
  const known = new Set<string>();
  return watchEveryMinute('The ages of snapshots', async (isStopped) => {
    const published = await readCatalogue(converted);
    for (const { name } of published) known.add(name);
    for (const name of known) {
      // All days of the dataset are unpublished. Without this value, the gauge would keep its last one and look fresh.
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
 * Updates the gauge of Longhaul's open clusters, as EMR lists them for this worker's account and region. It starts with
 * the first cluster that this worker opens or closes, or at once if the engine is `emr`.
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
