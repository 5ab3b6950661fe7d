import type { Client } from '@temporalio/client';
import { Command } from 'commander';
import { ingestDateAt, isPastDay, isTooOld } from '../../model/dates.ts';
import { LonghaulError } from '../../model/errors.ts';
import { checkRunInput, inputOfDay } from '../../model/run-input.ts';
import type { DayInput } from '../../model/run.ts';
import { examples, type CliContext, type Flags } from '../command.ts';
import type { RunRef } from '../follow.ts';
import { withLink } from '../temporal.ts';

interface RetryFlags extends Flags {
  accept?: boolean;
}

export function retryCommand(context: CliContext): Command {
  const command = new Command('retry')
    .summary('run again what failed of a run')
    .description(
      'Runs the dataset and day of a run that failed once more. Sources that it finished are taken as they ' +
        'are; only what failed is repeated, with the addresses that datasets.yaml has now.',
    )
    .argument('<run>', 'a run id, a workflow id, or <dataset>/<date>')
    .option('--accept', 'publish although the snapshot has under half the rows of the last one')
    .action(async (text: string, flags: RetryFlags) => {
      // Held while the run goes on, so that the embedded server does not stop in between.
      await withLink(context, { worker: false }, async (link, signal) => {
        const { findRun } = await import('../follow.ts');
        const earlier = await link.call(
          async (client) => await dayOf(client, await findRun(client, text)),
          { signal },
        );
        await runAgain(context, earlier, flags);
      });
    });
  return examples(command, ['retry denver-311/2026-11-23', 'retry <run id>']);
}

/** datasets.yaml may have been corrected meanwhile, so its word counts. */
async function runAgain(context: CliContext, earlier: DayInput, flags: RetryFlags): Promise<void> {
  const config = context.loadConfig();
  const { dataset, ingestDate, mode = 'ingest', again, asIf } = earlier;
  const configured = config.datasets.find(({ name }) => name === dataset);
  const spec = configured ?? earlier.spec;
  if (!spec) {
    throw new LonghaulError('DATASET_UNKNOWN', `No dataset ${dataset} is in datasets.yaml.`);
  }
  const { engine = config.settings.engine, accept } = { ...earlier, ...flags };
  const request = { dataset, ingestDate, mode, engine, again, accept, asIf, spec, retry: true };
  const { nameFiles } = await import('../targets.ts');
  const { runRequests } = await import('../ingest.ts');
  if (configured) await nameFiles(config.settings, [configured]);
  await runRequests(context, config, [request], flags);
}

/** What the run was to do; `asIf` where it started in time for its day, since its retry goes on with that. */
async function dayOf(client: Client, run: RunRef): Promise<DayInput> {
  const { inputOf } = await import('../../runs/start-run.ts');
  const { defineSearchAttributeKey } = await import('@temporalio/common');
  const input = (await inputOf(client, run)) ?? {};
  const { typedSearchAttributes, startTime } = await client.workflow
    .getHandle(run.workflowId, run.runId)
    .describe();
  if ('run' in input && input.run) {
    const scheduledStart = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');
    const nominal = typedSearchAttributes.get(scheduledStart) ?? startTime;
    const ingestDate = ingestDateAt(nominal, input.run.spec.timeZone);
    const asIf = !isTooOld(nominal, startTime, input.catchupMs ?? 0);
    return { ...input.run, ingestDate, asIf };
  }
  const today = startTime.toISOString().slice(0, 10);
  const day = inputOfDay(checkRunInput(input), run.workflowId, today);
  const { asIf, spec, ingestDate } = day;
  return { ...day, asIf: asIf ?? (spec && !isPastDay(spec, ingestDate, startTime)) };
}
