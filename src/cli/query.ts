import type { DuckDBResult } from '@duckdb/node-api';
import type { Config } from '../config/load-config.ts';
import { query, type QueryOptions } from '../lake/query.ts';
import type { Target } from '../model/run.ts';
import { openLake } from '../storage/open-lake.ts';
import type { QueryFlags } from './commands/lake.ts';
import type { CliContext } from './context.ts';
import { lakeTarget } from './lake-target.ts';
import { writeResult } from './render/query-output.ts';

export async function runQuery(
  context: CliContext,
  sql: string,
  { format: wanted, json = false, limit, target, engine }: QueryFlags,
): Promise<void> {
  const { settings } = context.loadConfig();
  const format = json ? 'json' : wanted;
  const write = async (result: DuckDBResult): Promise<void> => {
    await writeResult(result, format, {
      out: async (text) => await context.out(text),
      note: (text) => context.note(text),
      outIsTerminal: context.outIsTerminal,
      maxRows: limit,
    });
  };
  if (engine === 'spark') {
    const { queryWithSpark } = await import('./query-spark.ts');
    // One more than are shown tells that there are more.
    const maxRows = format === 'table' ? limit + 1 : undefined;
    await queryWithSpark(context, sql, { target: lakeTarget(settings, target), maxRows }, write);
    return;
  }
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
  const { locateHttpfs } = await import('../programs/httpfs.ts');
  const onNote = (note: string): void => context.note(note);
  const httpfsPath = await locateHttpfs({ given: duckdb.httpfs, onNote });
  return { converted, s3: { settings: s3, httpfsPath } };
}
