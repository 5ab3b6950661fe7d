import { query } from '../lake/query.ts';
import { DiskStore } from '../storage/disk-store.ts';
import type { QueryFlags } from './commands/lake.ts';
import type { CliContext } from './context.ts';
import { writeResult } from './render/query-output.ts';

export async function runQuery(
  context: CliContext,
  sql: string,
  { format: wanted, json = false, limit }: QueryFlags,
): Promise<void> {
  const { settings } = context.loadConfig();
  const format = json ? 'json' : wanted;
  // JSON is promised to be whole or an error: its rows are all there before the first is printed.
  const stream = format !== 'json';
  const options = {
    converted: new DiskStore(settings.convertedDir),
    duckdb: settings.duckdb,
    stream,
  };
  await query(sql, options, async (result) => {
    await writeResult(result, format, {
      out: async (text) => await context.out(text),
      note: (text) => context.note(text),
      outIsTerminal: context.outIsTerminal,
      maxRows: limit,
    });
  });
}
