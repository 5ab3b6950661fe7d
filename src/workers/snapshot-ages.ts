import { Runtime } from '@temporalio/worker';
import type { ActivityDeps } from '../activities/deps.ts';
import { findSnapshot, readCatalogue } from '../lake/catalogue.ts';
import type { Target } from '../model/run.ts';
import { watchEveryMinute, type Watch } from './watch.ts';

/**
 * Keeps the gauges of how old each dataset's newest snapshot is, while a worker runs. Every worker tells them of
 * the lakes that it reaches.
 */
export function watchSnapshotAges(lakes: readonly ActivityDeps[]): Watch {
  const age = Runtime.instance().metricMeter.createGauge('longhaul_snapshot_age_seconds', 'float');
  return watchEveryMinute('The ages of snapshots', async (isStopped) => {
    for (const { converted } of lakes) {
      for (const { name } of await readCatalogue(converted)) {
        const snapshot = isStopped() ? undefined : await findSnapshot(converted, name);
        if (!snapshot) continue;
        const ageMs = Date.now() - Date.parse(snapshot.publishedAt);
        const lake: Target = converted.uri('').startsWith('s3:') ? 's3' : 'disk';
        age.set(Math.max(0, ageMs / 1000), { dataset: name, lake });
      }
    }
  });
}
