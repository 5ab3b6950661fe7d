import type { DuckDBResult } from '@duckdb/node-api';
import { stringify } from 'csv-stringify/sync';
import { jsonOf, jsonText, textOf } from '../lake/values.ts';
import { printable } from '../model/names.ts';
import type { QueryFormat } from './commands/query.ts';
import type { CliContext } from './context.ts';
import { tableText } from './text.ts';

/** @param maxRows of a table. */
export async function writeResult(
  context: CliContext,
  result: DuckDBResult,
  format: QueryFormat,
  maxRows: number,
): Promise<void> {
  if (format === 'json') await writeJson(context, result);
  else if (format === 'csv') await writeCsv(context, result);
  else await writeTable(context, result, maxRows);
}

async function writeJson(context: CliContext, result: DuckDBResult): Promise<void> {
  const names = result.deduplicatedColumnNames();
  let before = '[';
  for await (const rows of result.yieldRows()) {
    const objects = rows.map((row) => {
      const members = row.map((value, index) => [names[index] ?? '', jsonOf(value)] as const);
      return jsonText(new Map(members));
    });
    if (objects.length === 0) continue;
    await context.out(before + objects.join(',\n '));
    before = ',\n ';
  }
  await context.out(before === '[' ? '[]\n' : ']\n');
}

async function writeCsv(context: CliContext, result: DuckDBResult): Promise<void> {
  // On a terminal control characters are made visible, as they could move the cursor.
  const cell = (text: string): string => (context.outIsTerminal ? printable(text) : text);
  await context.out(stringify([result.columnNames().map((name) => cell(name))]));
  for await (const rows of result.yieldRows()) {
    await context.out(stringify(rows.map((row) => row.map((value) => cell(textOf(value))))));
  }
}

/** Wider cells make a table that no terminal holds. */
const MAX_CELL_LENGTH = 60;

async function writeTable(
  context: CliContext,
  result: DuckDBResult,
  maxRows: number,
): Promise<void> {
  const rows: string[][] = [];
  reading: for await (const chunk of result.yieldRows()) {
    for (const row of chunk) {
      if (rows.length > maxRows) break reading;
      rows.push(row.map((value) => (value === null ? 'NULL' : textOf(value))));
    }
  }
  const types = result.columnTypes().map(String);
  const right = types.flatMap((type, index) => (isNumber(type) ? [index] : []));
  const layout = { right, maxCellLength: MAX_CELL_LENGTH };
  await context.out(`${tableText(result.columnNames(), rows.slice(0, maxRows), layout)}\n`);
  if (rows.length > maxRows) {
    context.note(
      `Only the first ${maxRows} rows are shown: --limit shows more, --format csv or json all.`,
    );
  }
}

function isNumber(type: string): boolean {
  return /^(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|DOUBLE|FLOAT|DECIMAL.*)$/.test(type);
}
