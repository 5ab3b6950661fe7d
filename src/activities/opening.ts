import { assertDayHasCome, assertVersionOfDay } from '../model/ingest-day.ts';
import { listSnapshots, readSnapshot } from '../storage/manifests.ts';
import type { ActivityDeps } from './deps.ts';
import { finishedEntry, toIngestResult, toSourceResult } from './source-results.ts';
import type { OpenInput, OpenResult } from './types.ts';
import { shortly } from './work.ts';

type Deps = Pick<ActivityDeps, 'raw' | 'converted' | 'activity' | 'emr'>;

/** The beginning of a day. */
export function createOpeningActivities(deps: Deps) {
  return {
    /** What is there already of a day. */
    openSnapshot: async (input: OpenInput): Promise<OpenResult> =>
      await shortly(deps, async () => await openSnapshot(deps, input)),
  };
}

async function openSnapshot(deps: Deps, input: OpenInput): Promise<OpenResult> {
  const { dataset, ingestDate, engine } = input;
  assertDayHasCome(dataset, ingestDate, new Date());
  const refs = await listSnapshots(deps.converted, dataset.name);
  const newest = refs.findLast((ref) => ref.ingestDate === ingestDate);
  const revision = (newest?.revision ?? 0) + 1;
  // Before anything is downloaded for a cluster that cannot be had.
  const onEmr = engine === 'emr' && input.mode !== 'land' ? await checkedForEmr(deps) : {};
  if (newest && !input.again) {
    const manifest = await readSnapshot(deps.converted, newest);
    const published = toIngestResult(deps, manifest, {
      mode: input.mode,
      status: 'already-published',
    });
    return { revision: newest.revision, published, finished: [] };
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
  return { revision, finished, ...onEmr };
}

/** @throws LonghaulError EMR_NEEDS_S3, EMR_TOO_EXPENSIVE. */
async function checkedForEmr({ converted, emr }: Deps): Promise<Pick<OpenResult, 'emrOutput'>> {
  const { assertAffordable, s3Of } = await import('./emr-plan.ts');
  s3Of(converted);
  assertAffordable(emr, 0);
  return { emrOutput: emr.output };
}
