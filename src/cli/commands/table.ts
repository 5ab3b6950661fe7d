import { Command } from 'commander';
import { LonghaulError } from '../../model/errors.ts';
import { parseDatasetName, printable, viewNameOf } from '../../model/names.ts';
import { openLake } from '../../storage/open-lake.ts';
import { examples, interruptible, print, type CliContext, type Flags } from '../command.ts';
import { readerLines } from '../table-readers.ts';
import { countText, tableText } from '../text.ts';

export function tableCommand(context: CliContext): Command {
  const command = new Command('table')
    .summary('a dataset as an Iceberg table, for every reader')
    .description(
      'Shows where the Iceberg table of a dataset is, its columns, a tag for each published day, and lines to paste ' +
        'for DuckDB, Python, Spark and others; also its history, which is two more tables. Every run keeps them up to ' +
        'date. docs/reading.md is the guide.',
    )
    .argument('<dataset>', 'the name of a published dataset')
    .helpCommand(false)
    .action(async (name: string, flags: Flags) => {
      const report = await reportOf(context, parseDatasetName(name));
      await print(context, flags, report, () => reportText(report));
    });
  command.addCommand(rebuildCommand(context));
  return examples(command, [
    'table denver-311',
    'table denver-311 --json',
    'table rebuild denver-311',
  ]);
}

function rebuildCommand(context: CliContext): Command {
  const command = new Command('rebuild')
    .summary('make the tables anew from the manifests')
    .description(
      'Makes all metadata of the table, and of the two of its history, anew from the manifests of the published days: for ' +
        'a lake that has none yet, and where it is damaged or another program has written to it. No file of rows is written again but where a column ' +
        'has widened since.',
    )
    .argument('<dataset>', 'the name of a published dataset')
    .action(async (name: string, _: Flags, self: Command) => {
      // commander gives --json to the outer command, which has it too.
      const flags: Flags = self.optsWithGlobals();
      const dataset = parseDatasetName(name);
      const { settings } = context.loadConfig();
      const { converted } = await openLake(settings);
      await interruptible(async (signal) => {
        const { syncTable } = await import('../../iceberg/sync.ts');
        const { duckdb, glueDatabase } = settings;
        const options = { converted, duckdb, glueDatabase, dataset, signal };
        const table = await syncTable({ ...options, rebuild: true });
        if (!table) throw notPublished(dataset);
      }, 'Making the table');
      const report = await reportOf(context, dataset);
      await print(context, flags, report, () => reportText(report));
    });
  return examples(command, ['table rebuild denver-311']);
}

/** The JSON of `longhaul table`. */
export type TableReport = Awaited<ReturnType<typeof reportOf>>;

async function reportOf(context: CliContext, dataset: string) {
  const { settings } = context.loadConfig();
  const { converted } = await openLake(settings);
  const { describeHistory, describeTable } = await import('../../iceberg/describe-table.ts');
  const table = await describeTable(converted, dataset);
  if (!table) {
    const { findSnapshot } = await import('../../lake/catalogue.ts');
    if (!(await findSnapshot(converted, dataset))) throw notPublished(dataset);
    throw new LonghaulError('TABLE_UNREADABLE', `${dataset} has no Iceberg table yet.`);
  }
  const view = viewNameOf(dataset);
  const newest = table.tags.findLast(({ snapshotId }) => snapshotId === table.snapshotId);
  const tag = newest && { name: newest.tag, snapshotId: newest.snapshotId };
  const history = await describeHistory(converted, dataset);
  return {
    dataset,
    view,
    ...table,
    history,
    readers: readerLines({ view, ...table, tag, history }),
  };
}

function notPublished(dataset: string): LonghaulError {
  return new LonghaulError('NOT_PUBLISHED', `No snapshot of ${dataset} is published.`);
}

function reportText(report: TableReport): string {
  const { dataset, location, columns, tags, snapshotId, history, readers } = report;
  const days = tags
    .slice(-TAGS_SHOWN)
    .map(({ tag, snapshotId: id, rows, publishedAs }) => [
      id === snapshotId ? `${tag} (head)` : tag,
      String(id),
      countText(rows),
      publishedAs,
    ]);
  const lines = Object.entries(readers).flatMap(([program, each]) => [
    `${program}:`,
    ...each.map((line) => `  ${printable(line)}`),
  ]);
  return [
    `${dataset}: ${printable(location)}`,
    `columns: ${columns.map(({ name, type }) => `${printable(name)} ${type}`).join(', ')}`,
    ...(history
      ? [`history: ${history.versions.name} and ${history.days.name} beside it, to be joined`]
      : []),
    '',
    ...(tags.length > TAGS_SHOWN ? [`the last ${TAGS_SHOWN} of ${tags.length} tags:`] : []),
    tableText(['tag', 'snapshot', 'rows', 'since'], days, { right: [1, 2] }),
    '',
    ...lines,
  ].join('\n');
}

/** A month of days: a terminal's page. --json has all. */
const TAGS_SHOWN = 30;
