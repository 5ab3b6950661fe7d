import type { RunDefaults } from '../activities/day-plan.ts';
import { loadDatasets } from '../config/load-datasets.ts';
import type { Settings } from '../config/settings.ts';

/** What this worker knows that a run's input does not say. datasets.yaml is read anew each time. */
export function runDefaultsOf(settings: Settings): RunDefaults {
  const { engine, sourceConcurrency, activity, datasetsFile } = settings;
  const { heartbeatTimeoutMs } = activity;
  const datasets = (): ReturnType<typeof loadDatasets> => loadDatasets(datasetsFile);
  return { engine, sourceConcurrency, heartbeatTimeoutMs, datasets };
}
