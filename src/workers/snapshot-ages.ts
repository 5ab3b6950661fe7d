import { Runtime } from '@temporalio/worker';
import type { ActivityDeps } from '../activities/deps.ts';
import { findSnapshot, readCatalogue } from '../lake/catalogue.ts';
import { watchEveryMinute, type Watch } from './watch.ts';

/** Keeps the gauges of how old each dataset's newest snapshot is, while a worker runs. */
export function watchSnapshotAges({ converted }: Pick<ActivityDeps, 'converted'>): Watch {
  const age = Runtime.instance().metricMeter.createGauge('longhaul_snapshot_age_seconds', 'float');
  return watchEveryMinute('The ages of snapshots', async (isStopped) => {
    for (const { name } of await readCatalogue(converted)) {
      const snapshot = isStopped() ? undefined : await findSnapshot(converted, name);
      if (!snapshot) continue;
      const ageMs = Date.now() - Date.parse(snapshot.publishedAt);
      age.set(Math.max(0, ageMs / 1000), { dataset: name });
    }
  });
}
