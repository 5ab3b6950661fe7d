import { Context } from '@temporalio/activity';
import { datedDataset, assertDayHasCome, assertVersionOfDay } from '../model/dates.ts';
import type { DatasetSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import type { DayInput, IngestResult, RunPlan, SourceResult } from '../model/run.ts';
import { stageBytes } from '../conversion/spark/inputs.ts';
import { hasSearchAttributes } from '../runs/start-run.ts';
import { isPublished, listRevisions, readSnapshot } from '../storage/manifests.ts';
import type { ActivityDeps } from './deps.ts';
import { finishedEntry, toIngestResult, toSourceResult } from '../storage/source-results.ts';
import { runActivity } from './work.ts';
import { assertSchemaKept, publishedTable } from '../iceberg/publication.ts';
import { cleanUp, type EndedRun } from '../lake/clean-up.ts';
import { publishSnapshot, type Publication } from '../lake/publish.ts';

type Deps = Pick<ActivityDeps, 'raw' | 'converted' | 'activity' | 'emr' | 'spark'>;

/** Values that the worker adds if the input does not have them. */
export interface RunDefaults extends Pick<
  RunPlan,
  'engine' | 'sourceConcurrency' | 'heartbeatTimeoutMs'
> {
  /** The datasets that datasets.yaml has now. @throws LonghaulError CONFIG_INVALID. */
  datasets: () => DatasetSpec[];
}

/** Activities at the beginning of a day. */
export function createDayPlanActivities(deps: Deps, defaults: RunDefaults) {
  return {
    /** Finds out what the run has to do, and what exists of its day already. */
    openSnapshot: async (input: OpenInput): Promise<OpenResult> =>
      await runActivity(deps, async () => {
        const spec = input.spec ?? datasetNamed(defaults.datasets(), input.dataset);
        const plan: RunPlan = {
          mode: input.mode ?? 'ingest',
          engine: input.engine ?? defaults.engine,
          spec,
          sourceConcurrency: input.sourceConcurrency ?? defaults.sourceConcurrency,
          heartbeatTimeoutMs: input.heartbeatTimeoutMs ?? defaults.heartbeatTimeoutMs,
          hasSearchAttributes: await hasSearchAttributes(Context.current().client),
        };
        if (plan.engine === 'spark') plan.stageBytes = await stageBytes(deps);
        if (plan.mode !== 'land') await addEmr(deps, plan);
        const opened = await openSnapshot(deps, input, plan);
        return { ...opened, plan: { ...plan, spec: datedDataset(spec, input.ingestDate) } };
      }),
  };
}

/** Loads the AWS SDK only for runs that need it, because loading takes a while. */
async function addEmr(deps: Deps, plan: RunPlan): Promise<void> {
  if (plan.engine !== 'emr' && plan.engine !== 'emr-serverless') return;
  const { emrPlan, serverlessSettings } = await import('../emr/plan.ts');
  if (plan.engine === 'emr') plan.emr = await emrPlan(deps);
  else serverlessSettings(deps);
}

function datasetNamed(datasets: DatasetSpec[], name: string): DatasetSpec {
  const found = datasets.find((each) => each.name === name);
  if (found) return found;
  const known = datasets.map((each) => each.name).join(', ') || 'none';
  throw new LonghaulError(
    'DATASET_UNKNOWN',
    `No dataset ${name} is in the datasets.yaml of this worker; there: ${known}.`,
  );
}

async function openSnapshot(
  deps: Deps,
  input: OpenInput,
  { spec, mode, engine }: RunPlan,
): Promise<Omit<OpenResult, 'plan'>> {
  const { dataset, ingestDate, asIf } = input;
  assertDayHasCome(spec, ingestDate, new Date());
  const refs = await listRevisions(deps.converted, dataset);
  const ofDay = refs.filter((ref) => ref.ingestDate === ingestDate);
  const newest = ofDay.findLast(isPublished);
  // A revision that was unpublished or has ended keeps its number.
  const revision = (ofDay.at(-1)?.revision ?? 0) + 1;
  if (newest && !input.again) {
    const manifest = await readSnapshot(deps.converted, newest);
    const published = toIngestResult(deps, manifest, { mode, status: 'already-published' });
    return { revision: newest.revision, published, finished: [] };
  }
  assertVersionOfDay({ dataset: spec, ingestDate, mode, asIf }, new Date(input.startedAt));
  const finished = [];
  for (const source of input.retry ? datedDataset(spec, ingestDate).sources : []) {
    const at = { dataset, ingestDate, revision, source, engine };
    const entry = await finishedEntry(deps.converted, at);
    if (entry) finished.push(toSourceResult(deps, entry));
  }
  return { revision, finished };
}

/** The run's input as the starter gave it. Its addresses still have the placeholder of the day. */
export interface OpenInput extends DayInput {
  runId: string;
  /** Start of the workflow, ISO 8601. It decides whether the workflow's day was over then. */
  startedAt: string;
}

export interface OpenResult {
  /** The plan with the addresses of the day. */
  plan: RunPlan;
  revision: number;
  /** Present if the day is published already and the input has no `again`: the run ends with this result. */
  published?: IngestResult;
  /** Sources that an earlier run of this unpublished day finished. Empty without `retry`. */
  finished: SourceResult[];
}

/** Activities at the end of a day: its publication and the clean-up. */
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

    /** Updates the dataset's Iceberg table to the published days. */
    syncTable: async (day: { dataset: string; ingestDate: string }) =>
      await runActivity(deps, async () =>
        publishedTable(deps, day, Context.current().cancellationSignal),
      ),

    cleanUp: async (input: EndedRun) =>
      await runActivity(deps, async () => await cleanUp(deps, input)),
  };
}
