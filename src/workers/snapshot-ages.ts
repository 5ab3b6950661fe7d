import { Runtime } from '@temporalio/worker';
import type { ActivityDeps } from '../activities/deps.ts';
import { findSnapshot, readCatalogue } from '../lake/catalogue.ts';
import type { Target } from '../model/run.ts';

/** A listing a dataset of each lake: cheap, but not for every look at the page. */
const INTERVAL_MS = 60_000;

export interface SnapshotAges {
  /** Something may have been published. */
  lookSoon(): void;
  stop(): Promise<void>;
}

/**
 * Keeps the gauges of how old each dataset's newest snapshot is, while a worker runs. Every worker tells them of
 * the lakes that it reaches.
 */
export function watchSnapshotAges(lakes: readonly ActivityDeps[]): SnapshotAges {
  const { metricMeter, logger } = Runtime.instance();
  const age = metricMeter.createGauge('longhaul_snapshot_age_seconds', 'float');
  let running = Promise.resolve();
  let isStopped = false;
  const look = async (): Promise<void> => {
    for (const { converted } of lakes) {
      for (const { name } of await readCatalogue(converted)) {
        const snapshot = isStopped ? undefined : await findSnapshot(converted, name);
        if (!snapshot) continue;
        const ageMs = Date.now() - Date.parse(snapshot.publishedAt);
        const lake: Target = converted.uri('').startsWith('s3:') ? 's3' : 'disk';
        age.set(Math.max(0, ageMs / 1000), { dataset: name, lake });
      }
    }
  };
  const tick = (): void => {
    running = running.then(look).catch((error: unknown) => {
      logger.warn('The ages of snapshots cannot be told', { error });
    });
  };
  tick();
  const timer = setInterval(tick, INTERVAL_MS);
  return {
    lookSoon: tick,
    stop: async () => {
      isStopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
