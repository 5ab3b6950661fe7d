import type { DuckDBResult } from '@duckdb/node-api';
import { Command, Option } from 'commander';
import type { Config } from '../../config/load-config.ts';
import type { QueryOptions } from '../../lake/query.ts';
import type { Target } from '../../model/run.ts';
import { openLake } from '../../storage/open-lake.ts';
import type { CliContext } from '../context.ts';
import { lakeTarget } from '../lake-target.ts';
import { examples, positiveCount, withTarget } from './options.ts';

const FORMATS = ['table', 'csv', 'json'] as const;
export type QueryFormat = (typeof FORMATS)[number];
/** More than a person reads. */
const DEFAULT_TABLE_ROWS = 200;

interface Flags {
  format: QueryFormat;
  limit: number;
  json?: boolean;
  target?: Target;
  engine: 'duckdb' | 'spark';
}

export function queryCommand(context: CliContext): Command {
  const command = new Command('query')
    .summary('run one SELECT over everything that is published')
    .description(
      'Runs one SELECT with DuckDB, or with Spark. Every dataset is a view named in snake_case (denver_311): the latest ' +
        'published snapshot, all sources, with the columns source and ingest_date; <view>_history has every ' +
        'snapshot. Nothing can be written, and nothing outside the lake can be read.',
    )
    .argument('<sql>', 'one SELECT; DESCRIBE <view>, SUMMARIZE <view> and SHOW TABLES work too')
    .addOption(
      new Option('--format <format>', 'how rows are printed').choices(FORMATS).default('table'),
    )
    .addOption(
      new Option('--engine <engine>', 'what runs it, in its own SQL; spark needs Java')
        .choices(['duckdb', 'spark'])
        .default('duckdb'),
    )
    .option('--limit <rows>', 'most rows of a table', positiveCount, DEFAULT_TABLE_ROWS)
    .option('--json', 'the same as --format json: an array of objects, one a row');
  withTarget(command).action(async (sql: string, flags: Flags) => {
    await runQuery(context, sql, flags);
  });
  return examples(command, [
    'query "SELECT source, count(*) FROM denver_311 GROUP BY source ORDER BY source"',
    'query "DESCRIBE denver_crime"',
    'query "SELECT ingest_date, count(*) FROM denver_311_history GROUP BY 1" --format csv',
    'query --target s3 "SHOW TABLES"',
    'query --engine spark "SELECT source, count(*) FROM denver_311 GROUP BY source"',
  ]);
}

async function runQuery(
  context: CliContext,
  sql: string,
  { format: wanted, json = false, limit, target, engine }: Flags,
): Promise<void> {
  const { settings } = context.loadConfig();
  const format = json ? 'json' : wanted;
  const { writeResult } = await import('../render/query-output.ts');
  const write = async (result: DuckDBResult): Promise<void> => {
    await writeResult(result, format, {
      out: async (text) => await context.out(text),
      note: (text) => context.note(text),
      outIsTerminal: context.outIsTerminal,
      maxRows: limit,
    });
  };
  if (engine === 'spark') {
    const { queryWithSpark } = await import('../query-spark.ts');
    // One more than are shown tells that there are more.
    const maxRows = format === 'table' ? limit + 1 : undefined;
    await queryWithSpark(context, sql, { target: lakeTarget(settings, target), maxRows }, write);
    return;
  }
  const { query } = await import('../../lake/query.ts');
  const options = {
    ...(await readableLake(context, settings, lakeTarget(settings, target))),
    duckdb: settings.duckdb,
    // JSON is promised to be whole or an error: its rows are all there before the first is printed.
    stream: format !== 'json',
  };
  await query(sql, options, write);
}

async function readableLake(
  context: CliContext,
  settings: Config['settings'],
  target: Target,
): Promise<Pick<QueryOptions, 'converted' | 's3'>> {
  const { converted } = await openLake(target, settings);
  const { s3, duckdb } = settings;
  if (target === 'disk' || !s3) return { converted };
  const { locateHttpfs } = await import('../../programs/httpfs.ts');
  const onNote = (note: string): void => context.note(note);
  const httpfsPath = await locateHttpfs({ given: duckdb.httpfs, onNote });
  return { converted, s3: { settings: s3, httpfsPath } };
}
