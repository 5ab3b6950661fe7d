import { createConversionActivities } from './conversion.ts';
import type { ActivityDeps } from './deps.ts';
import { createEmrActivities } from './emr.ts';
import { createLandingActivities } from './landing.ts';
import { createOpeningActivities, type RunDefaults } from './opening.ts';
import { createRunActivities } from './runs.ts';
import { createSnapshotActivities } from './snapshots.ts';
import { createSweepActivities } from './sweep.ts';
import { createVerificationActivities } from './verification.ts';

/** All activities of a worker: which queue has which of them is said by the workflow. */
export function createActivities(deps: ActivityDeps, defaults: RunDefaults) {
  return {
    ...createRunActivities(deps),
    ...createOpeningActivities(deps, defaults),
    ...createSnapshotActivities(deps),
    ...createLandingActivities(deps),
    ...createConversionActivities(deps),
    ...createVerificationActivities(deps),
    ...createSweepActivities(deps),
    ...createEmrActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
