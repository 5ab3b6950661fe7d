import type { DayInput, IngestResult } from '../model/run.ts';
import type { ActivityDeps } from './deps.ts';
import { startOrJoinRun } from './join-run.ts';
import { pauseIfFailing } from './schedule-failures.ts';
import type { PauseInput, PauseResult } from './types.ts';
import { runActivity } from './work.ts';

/** What a schedule's workflow has done: the run of its day, and a look at how the last ones ended. */
export function createRunActivities(deps: Pick<ActivityDeps, 'activity'>) {
  return {
    /** Starts or joins the run of a dataset and day, and ends with its result. */
    startOrJoinRun: async (input: DayInput): Promise<IngestResult> =>
      await startOrJoinRun(deps, input),

    pauseIfFailing: async (input: PauseInput): Promise<PauseResult> =>
      await runActivity(deps, async () => await pauseIfFailing(input)),
  };
}
