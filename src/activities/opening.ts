import { assertDayHasCome, assertVersionOfDay } from '../model/ingest-day.ts';
import type { Target } from '../model/run.ts';
import { listSnapshots, readSnapshot } from '../storage/manifests.ts';
import type { ActivityDeps, DepsOf } from './deps.ts';
import { finishedEntry, toIngestResult, toSourceResult } from './source-results.ts';
import type { OpenInput, OpenResult } from './types.ts';
import { shortly } from './work.ts';

/** What any worker may be asked before it is known whose lake the work is about. */
export function createOpeningActivities(
  { activity }: Pick<ActivityDeps, 'activity'>,
  depsOf: DepsOf,
) {
  return {
    /** What is there already of a day, and which workers reach its lake. */
    openSnapshot: async (input: OpenInput): Promise<OpenResult> =>
      await shortly({ activity }, async () => await openSnapshot(depsOf(input.target), input)),

    /** The task queue of a lake. */
    locateLake: async ({ target }: { target: Target }): Promise<{ queue: string }> =>
      await shortly(
        { activity },
        async () => await Promise.resolve({ queue: depsOf(target).lakeQueue }),
      ),
  };
}

async function openSnapshot(deps: ActivityDeps, input: OpenInput): Promise<OpenResult> {
  const { dataset, ingestDate, engine } = input;
  assertDayHasCome(dataset, ingestDate, new Date());
  const refs = await listSnapshots(deps.converted, dataset.name);
  const newest = refs.findLast((ref) => ref.ingestDate === ingestDate);
  const revision = (newest?.revision ?? 0) + 1;
  const { lakeQueue: hostQueue, backfillQueue } = deps;
  const stepQueues = input.backfill
    ? { transfer: backfillQueue, convert: backfillQueue }
    : deps.stepQueues;
  // Before anything is downloaded for a cluster that cannot be had.
  const onEmr = engine === 'emr' && input.mode !== 'land' ? await checkedForEmr(deps) : {};
  if (newest && !input.again) {
    const manifest = await readSnapshot(deps.converted, newest);
    const published = toIngestResult(deps, manifest, {
      mode: input.mode,
      status: 'already-published',
    });
    return { hostQueue, stepQueues, revision: newest.revision, published, finished: [] };
  }
  assertVersionOfDay(input, new Date(input.startedAt));
  const finished = [];
  for (const source of input.retry ? dataset.sources : []) {
    const entry = await finishedEntry(deps.converted, {
      dataset: dataset.name,
      ingestDate,
      revision,
      source,
      engine,
    });
    if (entry) finished.push(toSourceResult(deps, entry));
  }
  return { hostQueue, stepQueues, revision, finished, ...onEmr };
}

/** @throws LonghaulError EMR_NEEDS_S3, EMR_TOO_EXPENSIVE. */
async function checkedForEmr({
  converted,
  emr,
}: ActivityDeps): Promise<Pick<OpenResult, 'emrOutput'>> {
  const { assertAffordable, s3Of } = await import('./emr-plan.ts');
  s3Of(converted);
  assertAffordable(emr, 0);
  return { emrOutput: emr.output };
}
