import { cleanUp, type EndedRun } from '../lake/clean-up.ts';
import { publishSnapshot, type Publication } from '../lake/publish.ts';
import type { ActivityDeps } from './deps.ts';
import { runActivity } from './work.ts';

/** The end of a day: its publication, and what is left behind. */
export function createSnapshotActivities(
  deps: Pick<ActivityDeps, 'raw' | 'converted' | 'activity'>,
) {
  return {
    publishSnapshot: async (input: Publication) =>
      await runActivity(deps, async () => await publishSnapshot(deps, input)),

    cleanUp: async (input: EndedRun) =>
      await runActivity(deps, async () => await cleanUp(deps, input)),
  };
}
