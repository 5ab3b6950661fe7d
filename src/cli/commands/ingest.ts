import type { Client } from '@temporalio/client';
import { Command, Option } from 'commander';
import { datedDataset, ingestDateAt, isPastDay, isTooOld } from '../../model/dates.ts';
import { LonghaulError } from '../../model/errors.ts';
import { checkRunInput, inputOfDay } from '../../model/run-input.ts';
import { ENGINES } from '../../model/dataset.ts';
import type { DayInput, RunMode } from '../../model/run.ts';
import { examples, positiveCount, type CliContext, type Flags } from '../command.ts';
import type { RunRef } from '../follow.ts';
import { withLink } from '../temporal.ts';

/** One dataset downloads while another converts. The worker's slots limit the rest. */
const DATASET_CONCURRENCY = 2;

interface IngestFlags extends Flags {
  detach?: boolean;
  discard?: boolean;
  again?: boolean;
  accept?: boolean;
  asIf?: boolean;
  all?: boolean;
  concurrency?: number;
}

const NAME = new Option('--name <name>', 'name of the dataset that a URL or file becomes');
const DATE = new Option(
  '--date <YYYY-MM-DD>',
  "ingest date (default: today in the dataset's time zone)",
);
const ENGINE = new Option('--engine <engine>', 'what converts (default: ENGINE of .env)').choices(
  ENGINES,
);
const AS_IF = new Option(
  '--as-if',
  'with a past --date: store what the publisher has today as if it had been there on that day (a source whose ' +
    'address has the day in it needs no --as-if: it has a file of that day)',
);
const AGAIN = new Option('--again', 'publish a new revision beside the one that is there');
const ACCEPT = new Option(
  '--accept',
  'publish although the snapshot has under half the rows of the last one',
);
const DISCARD = new Option(
  '--discard',
  'on Ctrl-C, throw away what was downloaded instead of keeping it',
).conflicts('detach');
const DETACH = new Option(
  '--detach',
  'start the run and leave (needs `longhaul up` or TEMPORAL_ADDRESS)',
  // The command ends, so it cannot limit the runs. The worker's slots do.
).conflicts('concurrency');

export function ingestCommand(context: CliContext): Command {
  const command = new Command('ingest')
    .summary('load datasets: download, convert, verify, publish')
    .description(
      'Loads datasets of datasets.yaml, or the CSV file at a URL or path, as the snapshot of a day: downloads what ' +
        'changed, converts it to Parquet, proves that no row was lost, and publishes it. Starts the run, or ' +
        'attaches to the one under way. Ctrl-C cancels it and keeps what was downloaded: the next run of the day ' +
        'goes on from there.',
    )
    .argument('[dataset|URL|file...]', 'names of datasets.yaml, or one URL or CSV file')
    .addOption(NAME)
    .addOption(DATE)
    .addOption(ENGINE)
    .addOption(AS_IF)
    .option('--all', 'every dataset of datasets.yaml')
    .option('--concurrency <count>', 'datasets in work at once', positiveCount, DATASET_CONCURRENCY)
    .addOption(AGAIN)
    .addOption(ACCEPT)
    .addOption(DISCARD)
    .addOption(DETACH)
    .action(async (targets: string[], flags: IngestFlags) => {
      await run(context, 'ingest', targets, flags);
    });
  return examples(command, [
    'ingest denver-311',
    'ingest denver-311 denver-crime --json',
    'ingest --all --concurrency 3',
    'ingest https://example.com/trees.csv --name trees',
    'ingest ./trees.csv',
    'ingest denver-311 --date 2026-11-01 --as-if',
    'ingest denver-311 --lake s3://my-lake',
  ]);
}

export function landCommand(context: CliContext): Command {
  const command = new Command('land')
    .summary('only download: the first half of ingest')
    .description(
      'Downloads the sources byte for byte into the raw zone, counting their records on the way. Nothing is ' +
        'converted or published.',
    )
    .argument('<dataset|URL|file>', 'a name of datasets.yaml, a URL, or a CSV file')
    .addOption(NAME)
    .addOption(DATE)
    .addOption(AS_IF)
    .addOption(DISCARD)
    .addOption(DETACH)
    .action(async (target: string, flags: IngestFlags) => {
      await run(context, 'land', [target], flags);
    });
  return examples(command, ['land denver-311', 'land denver-311 --date 2026-11-01 --as-if --json']);
}

export function convertCommand(context: CliContext): Command {
  const command = new Command('convert')
    .summary('only convert what is landed: the second half of ingest')
    .description(
      'Converts what is landed for a day to Parquet, verifies it and publishes it. The publisher is not asked.',
    )
    .argument('<dataset|URL|file>', 'a name of datasets.yaml, a URL, or a CSV file')
    .addOption(NAME)
    .addOption(DATE)
    .addOption(ENGINE)
    .addOption(AGAIN)
    .addOption(ACCEPT)
    .addOption(DETACH)
    .action(async (target: string, flags: IngestFlags) => {
      await run(context, 'convert', [target], flags);
    });
  return examples(command, [
    'convert denver-311',
    'convert denver-311 --date 2026-11-01 --engine parquetjs --again',
  ]);
}

export function retryCommand(context: CliContext): Command {
  const command = new Command('retry')
    .summary('run again what failed of a run')
    .description(
      'Runs the dataset and day of a run that failed once more. Sources that it finished are taken as they ' +
        'are; only what failed is repeated, with the addresses that datasets.yaml has now.',
    )
    .argument('<run>', 'a run id, a workflow id, or <dataset>/<date>')
    .addOption(ACCEPT)
    .action(async (text: string, flags: IngestFlags) => {
      // The link stays open while the retry runs, so that the embedded server does not stop in between.
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

/** The operator may have corrected datasets.yaml since the run, so its present entry is used. */
async function runAgain(context: CliContext, earlier: DayInput, flags: IngestFlags): Promise<void> {
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

/** The input of an earlier run. If that run started in time, `asIf` is set, so that a retry on a later day goes on. */
async function dayOf(client: Client, run: RunRef): Promise<DayInput> {
  const { inputOf } = await import('../../runs/start-run.ts');
  const { handleOf } = await import('../follow.ts');
  const { defineSearchAttributeKey } = await import('@temporalio/common');
  const input = (await inputOf(client, run)) ?? {};
  const { typedSearchAttributes, startTime } = await handleOf(client, run).describe();
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

async function run(
  context: CliContext,
  mode: RunMode,
  names: string[],
  flags: IngestFlags,
): Promise<void> {
  const config = context.loadConfig();
  const { settings } = config;
  const { targetsOf, ingestDateOf, nameFiles } = await import('../targets.ts');
  const now = new Date();
  const datasets = targetsOf(config, names, flags, mode !== 'convert');
  const { engine = settings.engine, again, accept, asIf } = flags;
  const requests = datasets.map((spec) => {
    const ingestDate = ingestDateOf(spec, flags.date, now);
    return { dataset: spec.name, ingestDate, mode, engine, again, accept, asIf, spec };
  });
  // The file of the day is named too, because it may be a symlink.
  const days = requests.map(({ spec, ingestDate }) => datedDataset(spec, ingestDate));
  await nameFiles(settings, [...datasets, ...days]);
  const { runRequests } = await import('../ingest.ts');
  await runRequests(context, config, requests, flags);
}
