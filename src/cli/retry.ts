import type { Client, WorkflowHandle } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { openTemporal } from './connection.ts';
import type { CliContext } from './context.ts';
import { unlessDiskIsFull } from './full-disk.ts';
import { runRequests } from './ingest.ts';
import { nameFiles } from './local-files.ts';
import { lakeTarget } from './lake-target.ts';
import { findRun, type RunRef } from './runs.ts';
import { ingestDateAt } from '../model/dates.ts';
import { LonghaulError } from '../model/errors.ts';
import { isPastDay, isTooOld } from '../model/ingest-day.ts';
import { checkRunInput, isHandInput } from '../model/run-input.ts';
import type { DayInput } from '../model/run.ts';
import { inputOf } from '../runs/start-run.ts';

/** Starts the run's dataset and day again; datasets.yaml may have been mended meanwhile, so its word counts. */
export async function retryRun(
  context: CliContext,
  text: string,
  flags: { json?: boolean; accept?: boolean },
): Promise<void> {
  const config = context.loadConfig();
  await unlessDiskIsFull(config.settings, async (signal) => {
    // Held while the run goes on, so that the embedded server does not stop in between.
    const link = await openTemporal(context, config, { worker: false, signal });
    try {
      const earlier = await link.call(async (client) => {
        return await dayOf(client, await findRun(client, text));
      }, signal);
      const configured = config.datasets.find(({ name }) => name === earlier.dataset.name);
      const request = {
        dataset: configured ?? earlier.dataset,
        ingestDate: earlier.ingestDate,
        mode: earlier.mode,
        engine: earlier.engine,
        target: lakeTarget(config.settings, earlier.target),
        again: earlier.again ?? false,
        accept: flags.accept ?? earlier.accept ?? false,
        retry: true,
        ...(earlier.asIf && { asIf: true }),
      };
      if (configured) await nameFiles(config.settings, [configured]);
      await runRequests(context, config, [request], flags);
    } finally {
      await link.close();
    }
  });
}

const SCHEDULED_START = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');

/**
 * What the run was to do; `asIf` where it started in time for its day, since its retry goes on with that.
 * @throws LonghaulError RUN_INPUT_INVALID; USAGE where its words do not say all of it.
 */
async function dayOf(client: Client, run: WorkflowHandle & RunRef): Promise<DayInput> {
  const input = (await inputOf(client, run)) ?? {};
  const { typedSearchAttributes, startTime } = await run.describe();
  if ('run' in input && input.run) {
    const nominal = typedSearchAttributes.get(SCHEDULED_START) ?? startTime;
    const ingestDate = ingestDateAt(nominal, input.run.dataset.timeZone);
    const asIf = !isTooOld(nominal, startTime, input.catchupMs ?? 0);
    return { ...input.run, ingestDate, asIf };
  }
  const checked = checkRunInput(input);
  if (isHandInput(checked)) throw startedByHand(checked.dataset);
  const { asIf, dataset, ingestDate } = checked;
  return { ...checked, asIf: asIf ?? !isPastDay(dataset, ingestDate, startTime) };
}

/** Its day is in the run that it started or joined, or went on as. */
function startedByHand(dataset: string): LonghaulError {
  const message = 'This run was started by hand with a few words; the day has a run of its own.';
  return new LonghaulError('USAGE', message, {
    hint: `longhaul retry ${dataset}/<date> repeats what failed of that day.`,
  });
}
