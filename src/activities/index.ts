import type { ActivityDeps } from './deps.ts';
import { createEmrActivities } from './emr.ts';
import { createDayPlanActivities, createSnapshotActivities, type RunDefaults } from './days.ts';
import { createRunActivities } from './runs.ts';
import { createSourceActivities } from './sources.ts';
import { createSweepActivities } from './sweep.ts';

/** All activities of a worker. The workflow decides which queue runs which activity. */
export function createActivities(deps: ActivityDeps, defaults: RunDefaults) {
  return {
    ...createRunActivities(deps),
    ...createDayPlanActivities(deps, defaults),
    ...createSnapshotActivities(deps),
    ...createSourceActivities(deps),
    ...createSweepActivities(deps),
    ...createEmrActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
