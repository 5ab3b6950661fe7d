import { hostname, userInfo } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import type { Settings } from '../../config/settings.ts';
import type { Unpublished } from '../../lake/unpublish.ts';
import { parseIngestDate, type IngestDate } from '../../model/dates.ts';
import { revisionText } from '../../model/manifest.ts';
import { exitCodeOf, LonghaulError, type ErrorCode } from '../../model/errors.ts';
import { parseDatasetName, printable } from '../../model/names.ts';
import { behindText } from '../../model/table.ts';
import { openLake } from '../../storage/open-lake.ts';
import type { Store } from '../../storage/store.ts';
import {
  examples,
  interruptible,
  positiveCount,
  print,
  type CliContext,
  type Flags,
} from '../command.ts';
import { unpublishedText } from '../text.ts';
import { zoneOf } from './runs.ts';

/** Characters. A few sentences are enough for the users who look for the day. */
const MAX_REASON_LENGTH = 1000;

interface UnpublishFlags extends Flags {
  date: IngestDate;
  revision?: number;
  reason: string;
  withLater?: boolean;
}

export function unpublishCommand(context: CliContext): Command {
  const command = new Command('unpublish')
    .summary('withdraw a published day from all readers')
    .description(
      "Withdraws a revision of a day: queries, the next run and every command see the day's earlier revision, or no " +
        'such day. A manifest beside the one of the day says when, by whom and why; no file is removed (sweep ' +
        '--unpublished-after does that). A day whose versions later days carry is refused, unless --with-later. ' +
        'The next run of the day publishes its next revision. Needs no Temporal.',
    )
    .argument('<dataset>', 'the name of a published dataset')
    .requiredOption('--date <YYYY-MM-DD>', 'ingest date', parseIngestDate)
    .requiredOption('--reason <text>', 'why, for all who look for the day', reasonOf)
    .option('--revision <number>', "revision (default: the day's newest)", positiveCount)
    .option('--with-later', 'unpublish the later days too that carry versions of it')
    .action(async (name: string, flags: UnpublishFlags) => {
      const dataset = parseDatasetName(name);
      const { date: ingestDate, reason, revision, withLater = false } = flags;
      const { unpublish } = await import('../../lake/unpublish.ts');
      const { settings, datasets } = context.loadConfig();
      const lake = await openLake(settings);
      const input = { dataset, ingestDate, revision, reason, by: userAndHost(), withLater };
      const withdrawn = await unpublish(lake, input);
      const table = await tableAfter(lake.converted, settings, dataset);
      if (table && 'error' in table) context.setExitCode(exitCodeOf(table.error.code));
      const result = { ...withdrawn, table };
      await print(context, flags, result, () => resultText(result, zoneOf(datasets, dataset)));
    });
  return examples(command, [
    'unpublish denver-311 --date 2026-11-20 --reason "the publisher uploaded a test file"',
    'unpublish denver-311 --date 2026-11-20 --reason "cut off" --with-later --json',
  ]);
}

/** The day stays unpublished even if the update of the Iceberg table fails. */
async function tableAfter(
  converted: Store,
  { duckdb, glueDatabase }: Settings,
  dataset: string,
): Promise<{ location?: string } | { error: { code: ErrorCode; message: string } } | undefined> {
  return await interruptible(async (signal) => {
    const { syncTable } = await import('../../iceberg/sync.ts');
    const { newestVersion, tablePrefix } = await import('../../iceberg/metadata.ts');
    try {
      // If the dataset has no Iceberg table yet, its next run makes one.
      if ((await newestVersion(converted, tablePrefix(dataset))) === undefined) return undefined;
      const table = await syncTable({
        ...{ converted, duckdb, glueDatabase, dataset, signal },
      });
      return { location: table?.location };
    } catch (error) {
      if (!(error instanceof LonghaulError)) throw error;
      return { error: { code: error.code, message: error.message } };
    }
  }, 'Bringing the Iceberg table to what is published');
}

function reasonOf(text: string): string {
  const reason = text.trim();
  if (reason !== '' && reason.length <= MAX_REASON_LENGTH) return reason;
  throw new InvalidArgumentError(`It must be a text of 1 to ${MAX_REASON_LENGTH} characters.`);
}

function userAndHost(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // The user of a container may have no entry in /etc/passwd.
    return `${process.getuid?.() ?? 'unknown'}@${hostname()}`;
  }
}

function resultText(
  result: Unpublished & { table: Awaited<ReturnType<typeof tableAfter>> },
  zone: string,
): string {
  const { dataset, ingestDate, status, withdrawn, dayIsNow, latestIsNow } = result;
  const day = `${dataset} ${revisionText(result)}`;
  const withIt = withdrawn.filter((at) => revisionText(at) !== revisionText(result));
  const others = withIt.map(revisionText).join(', ');
  const lines = [
    status === 'unpublished'
      ? `${day} is unpublished.`
      : `${day} was unpublished before. ${unpublishedText(result, zone)}`,
  ];
  if (others !== '') lines.push(`Unpublished with it: ${others}.`);
  lines.push(
    dayIsNow
      ? `Readers see revision ${dayIsNow.revision} of ${ingestDate}.`
      : `${ingestDate} is not published any more.`,
    latestIsNow
      ? `The newest snapshot is ${revisionText(latestIsNow)}.`
      : `Nothing of ${dataset} is published any more.`,
    ...(result.table && 'error' in result.table ? [printable(behindText(result.table.error))] : []),
    'No file was removed: `longhaul sweep --unpublished-after 30d` does that.',
  );
  return lines.join('\n');
}
