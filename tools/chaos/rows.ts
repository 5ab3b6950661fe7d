import { DuckDBInstance } from '@duckdb/node-api';
import { parse } from 'csv-parse';
import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';

/**
 * Compares each value of Parquet files with a CSV file's records, in the file's order. It shares no code with the
 * product: csv-parse reads the CSV, and DuckDB reads the Parquet and casts each value to text.
 * @returns one sentence about the first difference, or undefined if there is none.
 */
export async function differenceOfRows(
  csvPath: string,
  parquetPaths: readonly string[],
): Promise<string | undefined> {
  const records = recordsOf(await readFile(csvPath));
  const header = ((await records.next()).value ?? []) as string[];
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    // Names of folders must not become columns.
    const files = `read_parquet([${parquetPaths.map(quoted).join(', ')}], hive_partitioning = false)`;
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${files}`);
    const types = described.getRows().map(([, type]) => String(type));
    if (types.length !== header.length) {
      return `${types.length} Parquet columns for ${header.length} columns of the CSV file.`;
    }
    const result = await connection.stream(`SELECT COLUMNS(*)::VARCHAR FROM ${files}`);
    let row = 0;
    for await (const rows of result.yieldRows()) {
      for (const values of rows) {
        row += 1;
        const record = ((await records.next()).value ?? undefined) as string[] | undefined;
        if (!record) return `Parquet has a row ${row}, and csv-parse found fewer records.`;
        const column = types.findIndex((type, at) => !isSame(type, record[at] ?? '', values[at]));
        if (column === -1) continue;
        return `Row ${row}, column ${header[column]} (${types[column]}): ${JSON.stringify(record[column])} became ${JSON.stringify(values[column])}.`;
      }
    }
    return (await records.next()).done === true
      ? undefined
      : `Parquet has ${row} rows, and csv-parse found more records.`;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", "''")}'`;
}

function recordsOf(bytes: Buffer): AsyncIterator<string[]> {
  const encoding = isUtf8(bytes) ? 'utf-8' : 'windows-1252';
  // Without `stream`, Node 20 takes Windows-1252 for Latin-1.
  const text = new TextDecoder(encoding).decode(bytes, { stream: true });
  const parser = Readable.from([text]).pipe(parse({ recordDelimiter: ['\r\n', '\n'] }));
  return (parser as AsyncIterable<string[]>)[Symbol.asyncIterator]();
}

function isSame(type: string, text: string, written: unknown): boolean {
  if (text === '') return written === null;
  if (typeof written !== 'string') return false;
  if (type === 'DOUBLE') return Number(text) === Number(written);
  if (type === 'DATE' || type === 'TIMESTAMP') return moment(text) === moment(written);
  return text === written;
}

const DATE =
  /^(?:(?<y>\d{4})[-/](?<m>\d{1,2})[-/](?<d>\d{1,2})|(?<um>\d{1,2})\/(?<ud>\d{1,2})\/(?<uy>\d{4}))/;
const TIME =
  /^(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?(?: ?([AP])M)?(?:Z|\+00(?::?00)?)?)?$/;

/** `2023-01-02 13:04:05` for a date in any form. Any other text gives NaN, which equals no value. */
function moment(text: string): string | number {
  const { y, m, d, um, ud, uy } = DATE.exec(text)?.groups ?? {};
  const time = TIME.exec(text.replace(DATE, ''));
  if (!time) return Number.NaN;
  const [, hour = '0', minute = '0', second = '0', half] = time;
  const hours = half === undefined ? Number(hour) : (Number(hour) % 12) + (half === 'P' ? 12 : 0);
  const numbers = [y ?? uy, m ?? um, d ?? ud, hours, minute, second].map(Number);
  return numbers.join(' ');
}
