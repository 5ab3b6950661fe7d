import { Command, Option } from 'commander';
import type { Target } from '../../model/run.ts';
import type { CliContext } from '../context.ts';
import { examples, positiveCount, withJson, withTarget } from './options.ts';

/** As in `render/query-output.ts`, which is too heavy to load for --help. */
const FORMATS = ['table', 'csv', 'json'] as const;
/** More than a person reads. */
const DEFAULT_TABLE_ROWS = 200;

export interface QueryFlags {
  format: (typeof FORMATS)[number];
  limit: number;
  json?: boolean;
  target?: Target;
  engine: 'duckdb' | 'spark';
}

export interface VerifyFlags {
  date?: string;
  target?: Target;
  json?: boolean;
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
  withTarget(command).action(async (sql: string, flags: QueryFlags) => {
    const { runQuery } = await import('../query.ts');
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

export function datasetsCommand(context: CliContext): Command {
  const command = new Command('datasets')
    .summary('list the datasets: configured and published')
    .description(
      'Lists what datasets.yaml has and what is published, with views and last snapshots.',
    );
  withJson(withTarget(command)).action(async (flags: { target?: Target; json?: boolean }) => {
    const { showDatasets } = await import('../datasets.ts');
    await showDatasets(context, flags);
  });
  return examples(command, ['datasets', 'datasets --target s3 --json']);
}

export function verifyCommand(context: CliContext): Command {
  const command = new Command('verify')
    .summary('prove a stored snapshot once more')
    .description(
      'Reads a published snapshot again: recounts the records of the raw files, checks every checksum, and ' +
        'counts the rows of the Parquet files.',
    )
    .argument('<dataset>', 'the name of a published dataset')
    .option('--date <YYYY-MM-DD>', 'ingest date (default: the latest snapshot)');
  withJson(withTarget(command)).action(async (dataset: string, flags: VerifyFlags) => {
    const { verify } = await import('../verify.ts');
    await verify(context, dataset, flags);
  });
  return examples(command, ['verify denver-311', 'verify denver-311 --date 2026-11-01 --json']);
}
