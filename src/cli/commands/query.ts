import type { DuckDBResult } from '@duckdb/node-api';
import { Command, Option } from 'commander';
import type { S3Settings } from '../../config/settings.ts';
import {
  FIRST_TIME_ZONE,
  parseIngestDate,
  assertDayHasCome,
  type IngestDate,
} from '../../model/dates.ts';
import { printable } from '../../model/names.ts';
import type { LocateOptions } from '../../programs/locate.ts';
import { openLake } from '../../storage/open-lake.ts';
import type { S3aAccess } from '../../storage/s3/engine-access.ts';
import type { Store } from '../../storage/store.ts';
import { openTemporaryFolder } from '../../storage/temporary-folder.ts';
import { examples, interruptible, positiveCount, type CliContext, type Flags } from '../command.ts';
import { tableText } from '../text.ts';

const WRITERS = { table: writeTable, csv: writeCsv, json: writeJson };
/** More rows than a user reads on a terminal. */
const DEFAULT_TABLE_ROWS = 200;

interface QueryFlags extends Flags {
  format: keyof typeof WRITERS;
  limit: number;
  asOf?: IngestDate;
}

export function queryCommand(context: CliContext): Command {
  const command = new Command('query')
    .summary('run one SELECT over everything that is published')
    .description(
      'Runs one SELECT with DuckDB, or with Spark. Every dataset is a view named in snake_case (denver_311): the latest ' +
        'published version of each source, with the columns source and ingest_date, the day of that version; ' +
        '<view>_history has every snapshot, with its day. Nothing can be written, and nothing outside the lake can be read.',
    )
    .argument('<sql>', 'one SELECT; DESCRIBE <view>, SUMMARIZE <view> and SHOW TABLES work too')
    .addOption(
      new Option('--format <format>', 'how rows are printed')
        .choices(Object.keys(WRITERS))
        .default('table'),
    )
    .addOption(
      new Option('--engine <engine>', 'what runs it, in its own SQL; spark needs Java')
        .choices(['duckdb', 'spark'])
        .default('duckdb'),
    )
    .option(
      '--as-of <YYYY-MM-DD>',
      'every view as it was on that day: what was published up to it, and nothing later',
      dayThatHasCome,
    )
    .option('--limit <rows>', 'most rows of a table', positiveCount, DEFAULT_TABLE_ROWS)
    .option('--json', 'the same as --format json: an array of objects, one a row');
  command.action(async (sql: string, flags: QueryFlags) => {
    await runQuery(context, sql, flags);
  });
  return examples(command, [
    'query "SELECT source, count(*) FROM denver_311 GROUP BY source ORDER BY source"',
    'query "DESCRIBE denver_crime"',
    'query "SELECT ingest_date, count(*) FROM denver_311_history GROUP BY 1" --format csv',
    'query --as-of 2026-11-20 "SELECT source, ingest_date, count(*) FROM denver_311 GROUP BY ALL"',
    'query --lake s3://my-lake "SHOW TABLES"',
    'query --engine spark "SELECT source, count(*) FROM denver_311 GROUP BY source"',
  ]);
}

function dayThatHasCome(text: string): IngestDate {
  const day = parseIngestDate(text);
  assertDayHasCome({ timeZone: FIRST_TIME_ZONE }, day, new Date());
  return day;
}

async function runQuery(context: CliContext, sql: string, flags: QueryFlags): Promise<void> {
  const { settings } = context.loadConfig();
  const { note: onNote } = context;
  const { limit, engine, asOf } = flags;
  const format = flags.json ? 'json' : flags.format;
  const write = async (result: DuckDBResult): Promise<void> =>
    await WRITERS[format](context, result, limit);
  const { converted } = await openLake(settings);
  const { lake } = settings;
  const s3 = lake.kind === 's3' ? lake : undefined;
  if (engine === 'spark') {
    // One row more than the table shows, so that the CLI notices if rows are left out.
    const maxRows = format === 'table' ? limit + 1 : undefined;
    await queryWithSpark(context, sql, { converted, s3, maxRows, asOf }, write);
    return;
  }
  const { query } = await import('../../lake/query.ts');
  const { locateHttpfs } = await import('../../programs/httpfs.ts');
  const given = settings.duckdb.httpfs;
  const options = {
    converted,
    asOf,
    s3: s3 && { settings: s3, httpfsPath: await locateHttpfs({ given, onNote }) },
    duckdb: settings.duckdb,
    // The output is complete JSON or an error. So DuckDB delivers all rows before the CLI prints the first.
    stream: format !== 'json',
  };
  await query(sql, options, write);
}

/** Even if this machine's Spark is configured with Hive, a query sees only the lake's views. */
const OWN_CATALOGUE = { 'spark.sql.catalogImplementation': 'in-memory' };

/** Runs a query with Spark in a JVM of its own, and then removes its temporary folder. */
async function queryWithSpark(
  context: CliContext,
  sql: string,
  { s3, ...of }: { converted: Store; s3?: S3Settings; maxRows?: number; asOf?: string },
  use: (result: DuckDBResult) => Promise<void>,
): Promise<void> {
  const { QUERY_SCRIPT, sparkQuery } = await import('../../lake/spark/query.ts');
  const { submitSpark } = await import('../../programs/spark-submit.ts');
  const { spark } = context.loadConfig().settings;
  const { note: onNote } = context;
  const scratch = await openTemporaryFolder();
  const scratchFolder = scratch.folder;
  try {
    await interruptible(async (signal) => {
      const access = s3 && (await accessOf(s3, { given: spark.hadoopJars, onNote, signal }));
      const run = async (jobPath: string): Promise<string> => {
        const args = ['--job', jobPath];
        const conf = { ...access?.conf, ...OWN_CATALOGUE };
        const how = { ...spark, ...access, conf, scratchFolder, signal, onNote };
        return (await submitSpark({ ...how, script: QUERY_SCRIPT, args })).stderr;
      };
      await sparkQuery(sql, { ...of, scratchFolder, run }, use);
    }, 'The query');
  } finally {
    await scratch.close();
  }
}

async function accessOf(
  s3: S3Settings,
  how: Pick<LocateOptions, 'given' | 'onNote' | 'signal'>,
): Promise<S3aAccess> {
  const { s3aAccess } = await import('../../storage/s3/engine-access.ts');
  const { locateHadoopJars } = await import('../../programs/hadoop.ts');
  const classPath = await locateHadoopJars(how);
  return await s3aAccess(s3, classPath);
}

async function writeJson(context: CliContext, result: DuckDBResult): Promise<void> {
  const { rowJson } = await import('../../lake/values.ts');
  const names = result.deduplicatedColumnNames();
  let before = '[';
  for await (const rows of result.yieldRows()) {
    const objects = rows.map((row) => rowJson(names, row));
    if (objects.length === 0) continue;
    await context.out(before + objects.join(',\n '));
    before = ',\n ';
  }
  await context.out(before === '[' ? '[]\n' : ']\n');
}

async function writeCsv(context: CliContext, result: DuckDBResult): Promise<void> {
  const { stringify } = await import('csv-stringify/sync');
  const { textOf } = await import('../../lake/values.ts');
  // The CLI makes control characters visible on a terminal, because they could move the cursor.
  const cell = (text: string): string => (context.outIsTerminal ? printable(text) : text);
  await context.out(stringify([result.columnNames().map((name) => cell(name))]));
  for await (const rows of result.yieldRows()) {
    await context.out(stringify(rows.map((row) => row.map((value) => cell(textOf(value))))));
  }
}

/** Characters. Longer cells make a table wider than a terminal. */
const MAX_CELL_LENGTH = 60;

async function writeTable(
  context: CliContext,
  result: DuckDBResult,
  maxRows: number,
): Promise<void> {
  const { textOf } = await import('../../lake/values.ts');
  const rows: string[][] = [];
  reading: for await (const chunk of result.yieldRows()) {
    for (const row of chunk) {
      if (rows.length > maxRows) break reading;
      rows.push(row.map((value) => (value === null ? 'NULL' : textOf(value))));
    }
  }
  const types = result.columnTypes().map(String);
  const right = types.flatMap((type, index) => (isNumber(type) ? [index] : []));
  const table = tableText(result.columnNames(), rows.slice(0, maxRows), right, MAX_CELL_LENGTH);
  await context.out(`${table}\n`);
  if (rows.length > maxRows) {
    context.note(
      `Only the first ${maxRows} rows are shown: --limit shows more, --format csv or json all.`,
    );
  }
}

function isNumber(type: string): boolean {
  return /^(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|DOUBLE|FLOAT|DECIMAL.*)$/.test(type);
}
