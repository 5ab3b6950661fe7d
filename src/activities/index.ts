import { createConversionActivities } from './conversion.ts';
import type { ActivityDeps, DepsOf } from './deps.ts';
import { createEmrActivities } from './emr.ts';
import { createLandingActivities } from './landing.ts';
import { createOpeningActivities } from './opening.ts';
import { createRunActivities } from './runs.ts';
import { createSnapshotActivities } from './snapshots.ts';
import { createSweepActivities } from './sweep.ts';
import { createVerificationActivities } from './verification.ts';

/** For the queue that every worker polls. */
export function createSharedActivities(deps: Pick<ActivityDeps, 'activity'>, depsOf: DepsOf) {
  return createOpeningActivities(deps, depsOf);
}

/** For the queue of one lake. */
export function createLakeActivities(deps: ActivityDeps) {
  return {
    ...createSnapshotActivities(deps),
    ...createLandingActivities(deps),
    ...createConversionActivities(deps),
    ...createVerificationActivities(deps),
    ...createSweepActivities(deps),
    ...createEmrActivities(deps),
  };
}

export { createRunActivities };

export type Activities = ReturnType<typeof createSharedActivities> &
  ReturnType<typeof createRunActivities> &
  ReturnType<typeof createLakeActivities>;
