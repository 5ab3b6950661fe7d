import { createConversionActivities } from './conversion.ts';
import type { ActivityDeps } from './deps.ts';
import { createLandingActivities } from './landing.ts';
import { createSnapshotActivities } from './snapshots.ts';
import { createVerificationActivities } from './verification.ts';

export function createActivities(deps: ActivityDeps) {
  return {
    ...createSnapshotActivities(deps),
    ...createLandingActivities(deps),
    ...createConversionActivities(deps),
    ...createVerificationActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
