import { Context } from '@temporalio/activity';
import { assertSchemaKept, publishedTable } from '../iceberg/publication.ts';
import { cleanUp, type EndedRun } from '../lake/clean-up.ts';
import { publishSnapshot, type Publication } from '../lake/publish.ts';
import type { ActivityDeps } from './deps.ts';
import { runActivity } from './work.ts';

/** The end of a day: its publication, and what is left behind. */
export function createSnapshotActivities(
  deps: Pick<ActivityDeps, 'raw' | 'converted' | 'activity' | 'duckdb' | 'glueDatabase'>,
) {
  return {
    publishSnapshot: async (input: Publication) =>
      await runActivity(deps, async () =>
        publishSnapshot(deps, input, async (sources) => {
          if (input.dataset.schema === 'freeze') await assertSchemaKept(deps, input, sources);
        }),
      ),

    /** The dataset's Iceberg table follows what is published. */
    syncTable: async (day: { dataset: string; ingestDate: string }) =>
      await runActivity(deps, async () =>
        publishedTable(deps, day, Context.current().cancellationSignal),
      ),

    cleanUp: async (input: EndedRun) =>
      await runActivity(deps, async () => await cleanUp(deps, input)),
  };
}
