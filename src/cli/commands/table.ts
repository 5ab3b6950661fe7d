import { countText } from '../../model/texts.ts';
import { Command } from 'commander';
import { LonghaulError } from '../../model/errors.ts';
import { parseDatasetName, printable, quoteLiteral, viewNameOf } from '../../model/names.ts';
import { openLake } from '../../storage/open-lake.ts';
import { examples, interruptible, print, type CliContext, type Flags } from '../command.ts';
import { quotedWord, tableText } from '../text.ts';

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
      // Both commands have --json, and commander gives its value to the outer one.
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
      ? [
          `history: ${history.versions.name} and ${history.days.name} beside it: join these two (lines below)`,
        ]
      : []),
    '',
    ...(tags.length > TAGS_SHOWN ? [`the last ${TAGS_SHOWN} of ${tags.length} tags:`] : []),
    tableText(['tag', 'snapshot', 'rows', 'since'], days, [1, 2]),
    '',
    ...lines,
  ].join('\n');
}

/** A month of days fits on a page of a terminal. --json has all tags. */
const TAGS_SHOWN = 30;

interface TableAddress {
  view: string;
  location: string;
  metadataFile: string;
  /** Tag of a day, and the id of its snapshot. */
  tag?: { name: string; snapshotId: number } | undefined;
  /** The two tables with the dataset's history. */
  history?: Record<'versions' | 'days', { location: string }> | undefined;
}

/** Lines to paste, by program. The tests do not run those of Trino, Athena and Snowflake. */
export function readerLines(table: TableAddress): Record<string, string[]> {
  const { location, tag, history } = table;
  const scan = (folder: string, more = ''): string =>
    `iceberg_scan(${quoteLiteral(folder)}${more})`;
  const ofDay = (line: (day: { name: string; snapshotId: number }) => string): string[] =>
    tag ? [line(tag)] : [];
  const polars = (more: string): string =>
    `pl.scan_iceberg(${python(table.metadataFile)}${more}).collect()`;
  const spark = (more: string): string =>
    `spark.read.format("iceberg")${more}.load(${python(location)})`;
  const joined =
    history && `${scan(history.versions.location)} AS v JOIN ${scan(history.days.location)} AS d`;
  return {
    DuckDB: [
      'INSTALL iceberg; LOAD iceberg;',
      `SELECT * FROM ${scan(location)};`,
      ...ofDay(
        ({ snapshotId: id }) => `SELECT * FROM ${scan(location, `, snapshot_from_id = ${id}`)};`,
      ),
      ...(joined
        ? [
            `SELECT v.* REPLACE (d.day AS ingest_date) FROM ${joined} ON v.source = d.source AND v.ingest_date = d.version_date;`,
          ]
        : []),
    ],
    pyiceberg: [
      'from pyiceberg.table import StaticTable',
      `table = StaticTable.from_metadata(${python(location)})`,
      'table.scan().to_arrow()',
      ...ofDay(
        ({ name }) =>
          `table.scan(snapshot_id=table.snapshot_by_name(${python(name)}).snapshot_id).to_arrow()`,
      ),
    ],
    polars: [
      'import polars as pl',
      polars(''),
      ...ofDay(({ snapshotId }) => polars(`, snapshot_id=${snapshotId}`)),
    ],
    // Spark needs Iceberg's runtime for its own version on the class path.
    Spark: [spark(''), ...ofDay(({ name }) => spark(`.option("tag", ${python(name)})`))],
    ...(location.startsWith('s3://') ? inS3(table) : {}),
  };
}

/** Lines for programs that read only buckets. */
function inS3({ view, location, metadataFile, tag }: TableAddress): Record<string, string[]> {
  const glueTable = JSON.stringify({
    Name: view,
    TableType: 'EXTERNAL_TABLE',
    StorageDescriptor: { Location: location },
    Parameters: { table_type: 'ICEBERG', metadata_location: metadataFile },
  });
  const day = tag && quoteLiteral(tag.name);
  return {
    Trino: [
      `CALL iceberg.system.register_table(schema_name => 'lake', table_name => ${quoteLiteral(view)}, table_location => ${quoteLiteral(location)});`,
      ...(day ? [`SELECT * FROM iceberg.lake.${view} FOR VERSION AS OF ${day};`] : []),
    ],
    Athena: [`aws glue create-table --database-name lake --table-input ${quotedWord(glueTable)}`],
    Snowflake: [
      `CREATE ICEBERG TABLE ${view} EXTERNAL_VOLUME = 'volume' CATALOG = 'object_store_catalog' METADATA_FILE_PATH = ${quoteLiteral(metadataFile)};`,
    ],
  };
}

/** Every JSON string is also a Python string. */
function python(text: string): string {
  return JSON.stringify(text);
}
