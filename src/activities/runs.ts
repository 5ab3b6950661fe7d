import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { ActivitySettings } from '../config/settings.ts';
import type { DatasetSpec } from '../model/dataset.ts';
import { ingestDateAt, parseIngestDate } from '../model/dates.ts';
import { LonghaulError } from '../model/errors.ts';
import type { HandInput } from '../model/run-input.ts';
import {
  SEARCH_ATTRIBUTES,
  type DayInput,
  type IngestInput,
  type IngestResult,
} from '../model/run.ts';
import { joinRun } from './join-run.ts';
import { pauseIfFailing } from './schedule-failures.ts';
import type { PauseInput, PauseResult, ResolveInput } from './types.ts';
import { shortly } from './work.ts';

/** What a worker brings to a run that is started by hand or by a schedule. */
export interface RunDefaults {
  activity: ActivitySettings;
  input: Pick<IngestInput, 'mode' | 'engine' | 'sourceConcurrency' | 'heartbeatTimeoutMs'>;
  /** What datasets.yaml has now. @throws LonghaulError CONFIG_INVALID. */
  datasets: () => DatasetSpec[];
}

/** Runs that are started on behalf of a schedule, or of a person in the Web UI. */
export function createRunActivities(defaults: RunDefaults) {
  return {
    /** The whole input of a run that a person started with a few words. */
    resolveRun: async (input: ResolveInput): Promise<IngestInput> =>
      await shortly(defaults, async () => await resolveRun(defaults, input)),

    /** Starts or joins the run of a dataset and day, and ends with its result. */
    runDay: async (input: DayInput): Promise<IngestResult> =>
      await joinRun(
        defaults,
        await withAttributes(Context.current().client, wholeInput(defaults, input)),
      ),

    pauseIfFailing: async (input: PauseInput): Promise<PauseResult> =>
      await shortly(defaults, async () => await pauseIfFailing(input)),
  };
}

async function resolveRun(
  defaults: RunDefaults,
  { hand, startedAt }: ResolveInput,
): Promise<IngestInput> {
  const dataset = datasetNamed(defaults.datasets(), hand);
  const { ingestDate } = hand;
  const input = wholeInput(defaults, {
    ...defaults.input,
    ...hand,
    dataset,
    ingestDate:
      ingestDate === undefined
        ? ingestDateAt(new Date(startedAt), dataset.timeZone)
        : parseIngestDate(ingestDate),
  });
  return await withAttributes(Context.current().client, input);
}

function wholeInput({ input: defaults }: RunDefaults, input: DayInput): IngestInput {
  const { sourceConcurrency, heartbeatTimeoutMs } = defaults;
  return {
    again: false,
    accept: false,
    retry: false,
    sourceConcurrency,
    heartbeatTimeoutMs,
    upsertSearchAttributes: false,
    ...input,
  };
}

function datasetNamed(datasets: DatasetSpec[], { dataset: name }: HandInput): DatasetSpec {
  const found = datasets.find((each) => each.name === name);
  if (found) return found;
  const known = datasets.map((each) => each.name).join(', ') || 'none';
  throw new LonghaulError(
    'DATASET_UNKNOWN',
    `No dataset ${name} is in the datasets.yaml of this worker; there: ${known}.`,
  );
}

/** Whoever wrote the input (a schedule, long ago) may not have known what the namespace has now. */
async function withAttributes(client: Client, input: IngestInput): Promise<IngestInput> {
  const known = await knowsAttributes(client);
  return { ...input, upsertSearchAttributes: known };
}

/** An unknown one would make the start fail, and asking may be forbidden: then they are left out. */
async function knowsAttributes(client: Client): Promise<boolean> {
  try {
    const { namespace } = client.options;
    const { customAttributes } = await client.connection.operatorService.listSearchAttributes({
      namespace,
    });
    const names = Object.keys(customAttributes ?? {});
    return Object.values(SEARCH_ATTRIBUTES).every((name) => names.includes(name));
  } catch {
    return false;
  }
}
