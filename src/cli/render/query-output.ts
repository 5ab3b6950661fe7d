import type { DuckDBResult } from '@duckdb/node-api';
import { stringify } from 'csv-stringify/sync';
import { jsonOf, jsonText, textOf } from '../../lake/values.ts';
import { printable } from '../../model/names.ts';
import type { QueryFormat } from '../commands/query.ts';
import { tableText } from './table.ts';

export interface QueryOutput {
  out: (text: string) => Promise<void>;
  note: (text: string) => void;
  /** Control characters are made visible in CSV, as they could move the cursor. */
  outIsTerminal: boolean;
  /** Of a table. */
  maxRows: number;
}

export async function writeResult(
  result: DuckDBResult,
  format: QueryFormat,
  output: QueryOutput,
): Promise<void> {
  if (format === 'json') await writeJson(result, output);
  else if (format === 'csv') await writeCsv(result, output);
  else await writeTable(result, output);
}

async function writeJson(result: DuckDBResult, { out }: QueryOutput): Promise<void> {
  const names = result.deduplicatedColumnNames();
  let before = '[';
  for await (const rows of result.yieldRows()) {
    const objects = rows.map((row) => {
      const members = row.map((value, index) => [names[index] ?? '', jsonOf(value)] as const);
      return jsonText(new Map(members));
    });
    if (objects.length === 0) continue;
    await out(before + objects.join(',\n '));
    before = ',\n ';
  }
  await out(before === '[' ? '[]\n' : ']\n');
}

async function writeCsv(result: DuckDBResult, { out, outIsTerminal }: QueryOutput): Promise<void> {
  const cell = (text: string): string => (outIsTerminal ? printable(text) : text);
  await out(stringify([result.columnNames().map((name) => cell(name))]));
  for await (const rows of result.yieldRows()) {
    await out(stringify(rows.map((row) => row.map((value) => cell(textOf(value))))));
  }
}

/** Wider cells make a table that no terminal holds. */
const MAX_CELL_LENGTH = 60;

async function writeTable(
  result: DuckDBResult,
  { out, note, maxRows }: QueryOutput,
): Promise<void> {
  const rows: string[][] = [];
  reading: for await (const chunk of result.yieldRows()) {
    for (const row of chunk) {
      if (rows.length > maxRows) break reading;
      rows.push(row.map((value) => (value === null ? 'NULL' : textOf(value))));
    }
  }
  const right = result
    .columnTypes()
    .flatMap((type, index) => (isNumber(String(type)) ? [index] : []));
  const shown = rows.slice(0, maxRows);
  await out(
    `${tableText(result.columnNames(), shown, { right, maxCellLength: MAX_CELL_LENGTH })}\n`,
  );
  if (rows.length > maxRows) {
    note(`Only the first ${maxRows} rows are shown: --limit shows more, --format csv or json all.`);
  }
}

function isNumber(type: string): boolean {
  return /^(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|DOUBLE|FLOAT|DECIMAL.*)$/.test(type);
}
