import { Runtime } from '@temporalio/worker';
import type { ActivityDeps } from '../activities/deps.ts';
import { findSnapshot, readCatalogue } from '../lake/catalogue.ts';
import { watchEveryMinute, type Watch } from './watch.ts';

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
