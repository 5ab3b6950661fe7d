import { pipeline, Readable } from 'node:stream';
import { parse } from 'csv-parse';
import parquet from 'parquetjs-lite';
import thrift from 'parquetjs-lite/gen-nodejs/parquet_types.js';
import type { Column } from '../../model/schema.ts';
import { locationBlocks } from '../../storage/location.ts';
import { windows1252ToUtf8 } from '../../csv/encoding.ts';
import type { FileRange } from '../ranges.ts';
import { rowKey, writerSchema } from './schema.ts';

/** The writer holds a row group as JavaScript values. The first limit that is reached ends the group. */
const MAX_ROWS_A_GROUP = 32_768;
const MAX_BYTES_A_GROUP = 16 * 1024 * 1024;
/** Rows between two messages of progress. */
const ROWS_A_REPORT = 4096;

/** Plain data, which a child can receive. */
export interface FileToWrite extends FileRange {
  delimiter: string;
  transcode: boolean;
  columns: Column[];
  /** Number of records that must be written. */
  records: number;
  /** Path on this machine. */
  outputPath: string;
}

declareTimestampsLocal();

/**
 * Reads every record with csv-parse and writes it with parquetjs-lite.
 * @param onProgress bytes read so far.
 * @throws Error if the number of records is not the expected one.
 */
export async function writeFile(
  job: FileToWrite,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const writer = await parquet.ParquetWriter.openFile(writerSchema(job.columns), job.outputPath, {
    rowGroupSize: MAX_ROWS_A_GROUP,
    pageSize: ROWS_A_REPORT,
    useDataPageV2: false,
  });
  const readers = job.columns.map((column) => valueReaderOf(column));
  let groupRows = 0;
  let groupBytes = 0;
  let rows = 0;
  for await (const record of job.records === 0 ? [] : recordsOf(job)) {
    const { values, bytes } = record;
    const row: Record<string, string | number | null> = {};
    for (const [index, read] of readers.entries()) {
      const text = values[index];
      row[rowKey(index)] = text === undefined || text === '' ? null : read(text);
      groupBytes += text?.length ?? 0;
    }
    groupRows += 1;
    rows += 1;
    // If a row fills a group by its bytes, the group's size becomes its present number of rows.
    const isFull = groupBytes >= MAX_BYTES_A_GROUP || groupRows === MAX_ROWS_A_GROUP;
    writer.setRowGroupSize(isFull ? groupRows : MAX_ROWS_A_GROUP);
    await writer.appendRow(row);
    if (isFull) groupRows = groupBytes = 0;
    if (rows % ROWS_A_REPORT === 0) onProgress(Math.min(bytes, job.end - job.start));
  }
  await writer.close();
  if (rows !== job.records)
    throw new Error(`The engine wrote ${rows} rows for ${job.records} records.`);
  onProgress(job.end - job.start);
}

interface ParsedRecord {
  values: string[];
  /** Bytes of the parser's input up to this record. */
  bytes: number;
}

async function* recordsOf(job: FileToWrite): AsyncGenerator<ParsedRecord> {
  const input = Readable.from(blocksOf(job), { objectMode: false });
  const parser = parse({
    delimiter: job.delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    // A quote inside an unquoted field is text. Landing refuses any worse use of quotes.
    relax_quotes: true,
    // In a file of one column, a blank line is an empty field.
    skip_empty_lines: job.columns.length > 1,
  });
  // If the pipeline fails, it destroys the parser, so the loop below gets the error.
  pipeline(input, parser, () => undefined);
  for await (const values of parser) {
    yield { values: values as string[], bytes: parser.info.bytes };
  }
}

/** Copies each block, because the parser keeps blocks for longer than they are valid. */
async function* blocksOf(job: FileToWrite): AsyncGenerator<Buffer> {
  for await (const block of locationBlocks(job.location, job)) {
    yield Buffer.from(job.transcode ? windows1252ToUtf8(block) : block);
  }
}

/**
 * Makes footers of this process declare timestamps as local, as DuckDB's and Spark's files do. A local timestamp has the
 * logical type TIMESTAMP that is not adjusted to UTC. The writer uses only the older TIMESTAMP_MICROS. From that alone,
 * pyarrow and Spark read instants in UTC. The writer's Thrift types know both.
 */
function declareTimestampsLocal(): void {
  const { ConvertedType, LogicalType, MicroSeconds, SchemaElement, TimeUnit, TimestampType } =
    thrift;
  const unit = new TimeUnit({ MICROS: new MicroSeconds() });
  const local = new LogicalType({ TIMESTAMP: new TimestampType({ isAdjustedToUTC: false, unit }) });
  const { write } = SchemaElement.prototype;
  SchemaElement.prototype.write = function (output): void {
    if (this.converted_type === ConvertedType.TIMESTAMP_MICROS) this.logicalType = local;
    write.call(this, output);
  };
}

/** Turns text into the writer's value. Inspection has found that the text fits the column's type. */
type ValueReader = (text: string) => string | number;

/** @throws Error for a date column without a format. It has no value, so this function never reads one. */
function valueReaderOf(column: Column): ValueReader {
  switch (column.type) {
    case 'VARCHAR':
      return (text) => text;
    // Numbers here are at most 2^53, so JavaScript holds them exactly.
    case 'BIGINT':
    case 'DOUBLE':
      return Number;
    case 'DATE':
      return (text) => daysOf(fieldsOf(text, column.format));
    case 'TIMESTAMP':
      return (text) => microsecondsOf(fieldsOf(text, column.format)).toString();
  }
}

interface MomentFields {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  microsecond: number;
}

const DAY_MS = 86_400_000;

function daysOf(fields: MomentFields): number {
  // `Date.UTC` reads the years 0 to 99 as 1900 to 1999.
  const date = new Date(0);
  date.setUTCFullYear(fields.year, fields.month - 1, fields.day);
  // JavaScript would turn a day that its month lacks into a day of the next month.
  if (date.getUTCMonth() !== fields.month - 1 || date.getUTCDate() !== fields.day) {
    throw new Error(`${fields.year}-${fields.month}-${fields.day} is not a calendar day.`);
  }
  return date.getTime() / DAY_MS;
}

function microsecondsOf(fields: MomentFields): bigint {
  const { hour, minute, second, microsecond } = fields;
  if (hour > 23 || minute > 59 || second > 59) {
    throw new Error(`${hour}:${minute}:${second} is no time of a day.`);
  }
  const seconds = daysOf(fields) * 86_400 + hour * 3600 + minute * 60 + second;
  return BigInt(seconds) * 1_000_000n + BigInt(microsecond);
}

/** Reads numbers in the order of the format's letters. Inspection has checked the separators. */
function fieldsOf(text: string, format: string | undefined): MomentFields {
  if (format === undefined) {
    throw new Error(`A date column without a format has the value ${text}.`);
  }
  const numbers = text.match(/\d+/g) ?? [];
  const letters = format.match(/%[YmdHIMSf]/g) ?? [];
  const optional = format.endsWith('%f') ? 1 : 0;
  if (numbers.length > letters.length || numbers.length < letters.length - optional) {
    throw new Error(`${text} does not fit the format ${format}.`);
  }
  const found: Record<string, string | undefined> = {};
  for (const [index, letter] of letters.entries()) found[letter] = numbers[index];
  const of = (letter: string): number => Number(found[letter] ?? 0);
  const half = (of('%I') % 12) + (text.endsWith('PM') ? 12 : 0);
  return {
    year: of('%Y'),
    month: of('%m'),
    day: of('%d'),
    hour: format.includes('%I') ? half : of('%H'),
    minute: of('%M'),
    second: of('%S'),
    microsecond: Number((found['%f'] ?? '').padEnd(6, '0')),
  };
}
