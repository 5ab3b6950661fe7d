import { Command } from 'commander';
import { findSnapshot } from '../../lake/catalogue.ts';
import { bytesText } from '../../model/texts.ts';
import { parseIngestDate } from '../../model/dates.ts';
import { exitCodeOf, LonghaulError } from '../../model/errors.ts';
import { revisionText } from '../../model/manifest.ts';
import { parseDatasetName, printable } from '../../model/names.ts';
import { listRevisions, readEnding, readTombstone } from '../../storage/manifests.ts';
import { openLake } from '../../storage/open-lake.ts';
import type { Store } from '../../storage/store.ts';
import { examples, interruptible, print, type CliContext, type Flags } from '../command.ts';
import { countsText, durationText, tableText, unpublishedText } from '../text.ts';
import { zoneOf } from './runs.ts';

export function verifyCommand(context: CliContext): Command {
  const command = new Command('verify')
    .summary('prove a stored snapshot once more')
    .description(
      'Reads a published snapshot again: recounts the records of the raw files, checks every checksum, and ' +
        'counts the rows of the Parquet files.',
    )
    .argument('<dataset>', 'the name of a published dataset')
    .option('--date <YYYY-MM-DD>', 'ingest date (default: the latest snapshot)')
    .action(async (dataset: string, flags: Flags) => {
      const report = await reportOf(context, dataset, flags);
      // Damage is a result of this command, not an error. The exit code reports it too.
      if (!report.verified) context.setExitCode(exitCodeOf('LAKE_CORRUPT'));
      await print(context, flags, report, () => verifyText(report));
    });
  return examples(command, ['verify denver-311', 'verify denver-311 --date 2026-11-01 --json']);
}

export type VerifyReport = Awaited<ReturnType<typeof reportOf>>;

async function reportOf(context: CliContext, name: string, flags: Flags) {
  const { settings } = context.loadConfig();
  const dataset = parseDatasetName(name);
  const date = flags.date === undefined ? undefined : parseIngestDate(flags.date);
  const lake = await openLake(settings);
  const manifest = await findSnapshot(lake.converted, dataset, date);
  if (!manifest) throw await notPublished(context, lake.converted, dataset, date);
  const startedAt = performance.now();
  const sources = await interruptible(async (signal) => {
    const { verifySnapshot } = await import('../../verification/verify-snapshot.ts');
    const onSource = (id: string): void => context.note(`Reading ${dataset} ${id} …`);
    return await verifySnapshot(lake, manifest, { signal, onSource });
  }, 'Verifying');
  const { ingestDate, revision } = manifest;
  const verified = sources.every(({ problems }) => problems.length === 0);
  const durationMs = Math.round(performance.now() - startedAt);
  return { dataset, ingestDate, revision, verified, sources, durationMs };
}

/** The error says why a day was unpublished, or that the dataset's `keep` ended it. */
async function notPublished(
  context: CliContext,
  converted: Store,
  dataset: string,
  date: string | undefined,
): Promise<LonghaulError> {
  const when = date === undefined ? '' : ` for ${date}`;
  const what = `No snapshot of ${dataset} is published${when}.`;
  const refs = await listRevisions(converted, dataset);
  const last = refs.findLast(({ ingestDate }) => date === undefined || ingestDate === date);
  const tombstone = last && (await readTombstone(converted, last));
  const zone = zoneOf(context.loadConfig().datasets, dataset);
  if (tombstone) {
    const why = `${revisionText(last)}: ${unpublishedText(tombstone, zone)}`;
    return new LonghaulError('NOT_PUBLISHED', `${what} ${why}`);
  }
  const ending = last && (await readEnding(converted, last));
  const why = ending
    ? ` Its dataset keeps ${ending.keepDays} days: it ended at ${ending.endedAt}.`
    : '';
  return new LonghaulError('NOT_PUBLISHED', what + why);
}

function verifyText(report: VerifyReport): string {
  const { dataset, ingestDate, revision, verified, sources, durationMs } = report;
  const rows = sources.map(({ id, status, bytes, records, rows, rejected, problems }) => [
    id,
    status,
    bytesText(bytes),
    ...countsText({ records, rows, rejected }),
    problems.length === 0 ? 'as published' : 'DAMAGED',
  ]);
  const head = ['source', 'status', 'read', 'records', 'rows', 'rejected', ''];
  const verdict = verified ? 'every count and checksum is as published' : 'it is damaged';
  return [
    `${dataset}, ${ingestDate}, revision ${revision}: ${verdict} (${durationText(durationMs)}).`,
    tableText(head, rows, [2, 3, 4, 5]),
    ...sources.flatMap(({ id, problems }) => problems.map((each) => `${id}: ${printable(each)}`)),
    ...sources.flatMap(({ id, rawRemovedAt: at }) =>
      at === undefined
        ? []
        : `${id}: keep.raw removed the raw file at ${at}; its records are the manifest's.`,
    ),
    ...(verified ? [] : ['→ Restore the files, or publish the day again with --again.']),
  ].join('\n');
}
