import { Runtime } from '@temporalio/worker';
import type { Settings } from '../config/settings.ts';
import { watchEveryMinute, type Watch } from './watch.ts';

/** What makes a cluster, or ends one. */
const OF_CLUSTERS: ReadonlySet<string> = new Set(['openCluster', 'closeCluster']);

export interface ClusterWatch extends Watch {
  /** An activity of that name has ended on this worker. */
  ended(activity: string): void;
}

/**
 * Keeps the gauge of how many clusters of Longhaul's are open, as EMR lists them for this worker's account and region:
 * from the first cluster on that this worker has to do with, or from the start where emr is the engine.
 */
export function watchOpenClusters({ engine }: Settings): ClusterWatch {
  const open = Runtime.instance().metricMeter.createGauge('longhaul_open_clusters', 'int');
  const look = async (): Promise<void> => {
    const { listOurClusters } = await import('../emr/clusters.ts');
    open.set((await listOurClusters()).length);
  };
  const watch = watchEveryMinute('The number of open clusters', look, {
    waiting: engine !== 'emr',
  });
  return {
    ...watch,
    ended: (activity) => {
      if (OF_CLUSTERS.has(activity)) watch.lookSoon();
    },
  };
}
