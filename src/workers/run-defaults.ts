import type { RunDefaults } from '../activities/runs.ts';
import { loadDatasets } from '../config/load-datasets.ts';
import type { Settings } from '../config/settings.ts';

/** What this worker knows that a run which is started by hand does not say. datasets.yaml is read anew each time. */
export function runDefaultsOf(settings: Settings): RunDefaults {
  const { engine, sourceConcurrency, activity, datasetsFile } = settings;
  return {
    activity,
    input: {
      mode: 'ingest',
      engine,
      sourceConcurrency,
      heartbeatTimeoutMs: activity.heartbeatTimeoutMs,
    },
    datasets: () => loadDatasets(datasetsFile),
  };
}
