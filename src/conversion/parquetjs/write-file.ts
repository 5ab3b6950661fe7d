import { pipeline, Readable } from 'node:stream';
import { parse } from 'csv-parse';
import parquet from 'parquetjs-lite';
import thrift from 'parquetjs-lite/gen-nodejs/parquet_types.js';
import type { Column } from '../../model/schema.ts';
import { locationBlocks, type Location } from '../../storage/location.ts';
import { windows1252ToUtf8 } from '../../csv/encoding.ts';
import { rowKey, writerSchema } from './schema.ts';
import { valueReaderOf } from './values.ts';

/** The writer holds a group as JavaScript values; whichever limit comes first ends it. */
const MAX_ROWS_A_GROUP = 32_768;
const MAX_BYTES_A_GROUP = 16 * 1024 * 1024;
/** Rows between two messages of progress. */
const ROWS_A_REPORT = 4096;

/** Plain data, for a thread. */
export interface FileToWrite {
  input: Location;
  /** Where a record starts. */
  start: number;
  /** Where another one starts, or the file's end. */
  end: number;
  delimiter: string;
  transcode: boolean;
  columns: Column[];
  /** The number of records that have to be written. */
  records: number;
  /** On this machine. */
  outputPath: string;
}

declareTimestampsLocal();

/**
 * Reads every record with csv-parse and writes it with parquetjs-lite.
 * @param onProgress bytes read so far.
 * @throws Error where there are other than the expected records.
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
    // The row that fills a group by its bytes makes the group as large as it is by then.
    const isFull = groupBytes >= MAX_BYTES_A_GROUP || groupRows === MAX_ROWS_A_GROUP;
    writer.setRowGroupSize(isFull ? groupRows : MAX_ROWS_A_GROUP);
    await writer.appendRow(row);
    if (isFull) groupRows = groupBytes = 0;
    if (rows % ROWS_A_REPORT === 0) onProgress(Math.min(bytes, job.end - job.start));
  }
  await writer.close();
  if (rows !== job.records) throw new Error(`It wrote ${rows} rows of ${job.records} records.`);
  onProgress(job.end - job.start);
}

interface ParsedRecord {
  values: string[];
  /** Bytes of the parser's input, up to here. */
  bytes: number;
}

async function* recordsOf(job: FileToWrite): AsyncGenerator<ParsedRecord> {
  const input = Readable.from(blocksOf(job), { objectMode: false });
  const parser = parse({
    delimiter: job.delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    // A quote inside an unquoted field is text; anything worse never gets past the landing.
    relax_quotes: true,
    // In a one-column file a blank line is an empty field.
    skip_empty_lines: job.columns.length > 1,
  });
  // A pipeline's error destroys the parser, and so reaches the loop below.
  pipeline(input, parser, () => undefined);
  for await (const values of parser) {
    yield { values: values as string[], bytes: parser.info.bytes };
  }
}

/** Copies, since the parser keeps them for longer than they are good. */
async function* blocksOf(job: FileToWrite): AsyncGenerator<Buffer> {
  for await (const block of locationBlocks(job.input, job)) {
    yield Buffer.from(job.transcode ? windows1252ToUtf8(block) : block);
  }
}

/**
 * Footers written in this thread declare timestamps as local ones, as DuckDB's and Spark's files do: the logical type
 * TIMESTAMP that is not adjusted to UTC, beside the older TIMESTAMP_MICROS, by which alone pyarrow and Spark take them for
 * instants in UTC. The writer uses only the older one; its Thrift types know both.
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
