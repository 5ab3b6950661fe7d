import { join } from 'node:path';
import type { DuckDbSettings, S3Settings } from '../../config/settings.ts';
import { quoteIdentifier, quoteLiteral } from '../../model/names.ts';
import { isReadableWhole, type CsvScan } from '../../model/scan.ts';
import type { Column } from '../../model/schema.ts';
import { uriOf } from '../../storage/location.ts';
import type { Preparation } from '../prepare.ts';
import { MAX_REWRITE_GROWTH } from '../../csv/rewrite.ts';
import type { ConversionRequest } from '../engine.ts';
import type { PartToWrite } from '../parts/convert-in-parts.ts';
import { settingsForWidth } from './width.ts';

/** DuckDB's own longest line; only longer ones need a larger buffer. */
const DEFAULT_MAX_LINE_BYTES = 2_000_000;
/** The size of DuckDB's read buffer, in longest lines: a line may start anywhere in one and end in the next. */
const LINES_A_BUFFER = 2;

/** Delimiters that DuckDB takes as they are; any other is rewritten to a comma. */
const TRUSTED_DELIMITERS = new Set([',', ';', '\t', '|']);

/** Everything that the child does: plain data, sent to it as JSON. No credentials: it finds them itself. */
export interface DuckDbJob {
  settings: string[];
  /** Present where a file of it lies in S3. */
  s3?: S3Access;
  preparation?: Preparation;
  copy: string;
  /** Rows that have to be written. */
  records: number;
  /** The length of the range. */
  inputBytes: number;
}

export interface S3Access {
  settings: S3Settings;
  httpfsPath: string;
  /** The child removes it where the worker is gone; on disk the sweep removes it with the attempt. */
  scratchFolder: string;
}

export interface JobPlan {
  job: DuckDbJob;
  /**
   * The same with DuckDB's single-threaded reader: line breaks in quotes can mislead the parallel one, where
   * the text between them looks like records. The prepared file is there already.
   */
  serialJob?: DuckDbJob;
  /** The key that the range must first be copied to, as a file of its own: DuckDB reads files from their start. */
  shardKey?: string;
}

interface PlanOptions {
  /** The extension's path, where the lake lies in S3. */
  httpfsPath: string | undefined;
  /** The range starts with a byte order mark, which in its place is part of a value. */
  isMarked: boolean;
}

/** What DuckDB has to do for a part. */
export function planJob(
  request: ConversionRequest,
  part: PartToWrite,
  settings: DuckDbSettings,
  { httpfsPath, isMarked }: PlanOptions,
): JobPlan {
  const { scan, schema, output, scratchPrefix } = request;
  const { range, key, partialPath, scratchFolder } = part;
  const lineEnd = scan.lineEnds.crlf > 0 ? '\r\n' : '\n';
  const preparation = preparationOf(request, part, { isMarked, lineEnd });
  const isWhole = range.whole && isReadableWhole(scan.dialect);
  const isShard = preparation === undefined && !isWhole;
  const shardKey = `${scratchPrefix}shard.csv`;
  const location = output.location(key);
  const outputPath = location.kind === 's3' ? uriOf(location) : partialPath;
  const csv = {
    path: preparation?.outputPath ?? (isShard ? output.uri(shardKey) : uriOf(request.input)),
    delimiter: preparation?.rewrite ? ',' : scan.dialect.delimiter,
    header: preparation !== undefined || (isWhole && scan.dialect.header !== false),
    // Left to itself, DuckDB guesses it from the first line break, be that one inside quotes.
    lineEnd: preparation?.rewrite ? '\n' : lineEnd,
    maxLineBytes: scan.maxRecordBytes * (preparation ? MAX_REWRITE_GROWTH : 1) + 1024,
  };
  const forWidth = settingsForWidth(schema.columns.length, settings);
  const copy = (parallel: boolean): string =>
    `COPY (SELECT ${schema.columns.map(projectionOf).join(', ')} FROM ${readCsv(csv, schema.columns, parallel)}) ` +
    `TO ${quoteLiteral(outputPath)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${forWidth.rowsAGroup})`;
  const base = {
    settings: settingStatements(forWidth, scratchFolder),
    records: range.records,
    inputBytes: range.end - range.start,
    ...(location.kind === 's3' && httpfsPath !== undefined
      ? { s3: { settings: location.settings, httpfsPath, scratchFolder } }
      : {}),
  };
  const empty = emptyCopy(schema.columns, outputPath);
  return {
    job: {
      ...base,
      copy: range.records === 0 ? empty : copy(true),
      preparation,
    },
    ...(scan.quotedBreaks > 0 ? { serialJob: { ...base, copy: copy(false) } } : {}),
    ...(isShard ? { shardKey } : {}),
  };
}

/** What each of our jobs sets first. */
export function settingStatements(
  settings: Pick<DuckDbSettings, 'memoryLimit' | 'threads'>,
  scratchFolder: string,
): string[] {
  return [
    `SET memory_limit = ${quoteLiteral(settings.memoryLimit)}`,
    `SET threads = ${settings.threads}`,
    `SET temp_directory = ${quoteLiteral(scratchFolder)}`,
    'SET preserve_insertion_order = true',
    // Nothing is fetched: what it needs is built in.
    'SET autoinstall_known_extensions = false',
    'SET autoload_known_extensions = false',
    'SET allow_community_extensions = false',
  ];
}

/** Undefined where DuckDB reads the file, or a shard of it, as it is. */
function preparationOf(
  request: ConversionRequest,
  part: PartToWrite,
  { isMarked, lineEnd }: { isMarked: boolean; lineEnd: string },
): Preparation | undefined {
  const { scan, schema, encoding } = request;
  const transcode = encoding === 'windows-1252' && !scan.encoding.ascii;
  const rewrite = !readsExactly(scan, schema.columns.length);
  if ((!transcode && !rewrite && !isMarked) || scan.records === 0) return undefined;
  const names = schema.columns.map((_, index) => `c${index}`);
  return {
    location: request.input,
    start: part.range.start,
    end: part.range.end,
    outputPath: join(part.scratchFolder, 'prepared.csv'),
    header: rewrite ? `${names.join(',')}\n` : names.join(scan.dialect.delimiter) + lineEnd,
    transcode,
    rewrite,
    delimiter: scan.dialect.delimiter.charCodeAt(0),
    columns: schema.columns.length,
  };
}

/** Whether DuckDB's reader, given the dialect, sees the records that an exact RFC 4180 reader sees. */
function readsExactly(scan: CsvScan, columns: number): boolean {
  const { crlf, lf, cr } = scan.lineEnds;
  return (
    columns > 1 && // It drops the empty lines of a one-column file.
    scan.blankLines === 0 &&
    scan.bareQuotes.count === 0 &&
    cr === 0 &&
    (crlf === 0 || lf === 0) &&
    TRUSTED_DELIMITERS.has(scan.dialect.delimiter) &&
    !scan.header.some((name) => /[\r\n]/.test(name))
  );
}

interface CsvToRead {
  path: string;
  delimiter: string;
  header: boolean;
  lineEnd: string;
  maxLineBytes: number;
}

/** Columns are `c0`, `c1`, … here: a publisher's name gets no nearer to DuckDB than the output's identifiers. */
function readCsv(csv: CsvToRead, columns: readonly Column[], parallel: boolean): string {
  const types = columns.map((column, index) => `'c${index}': '${readTypeOf(column)}'`);
  const options = [
    quoteLiteral(csv.path),
    'auto_detect = false',
    `header = ${csv.header}`,
    `delim = ${quoteLiteral(csv.delimiter)}`,
    `quote = '"'`,
    `escape = '"'`,
    `new_line = '${csv.lineEnd === '\n' ? '\\n' : '\\r\\n'}'`,
    `nullstr = ''`,
    'allow_quoted_nulls = true',
    `columns = {${types.join(', ')}}`,
  ];
  if (!parallel) options.push('parallel = false');
  if (csv.maxLineBytes > DEFAULT_MAX_LINE_BYTES) {
    options.push(
      `max_line_size = ${csv.maxLineBytes}`,
      `buffer_size = ${csv.maxLineBytes * LINES_A_BUFFER}`,
    );
  }
  return `read_csv(${options.join(', ')})`;
}

function readTypeOf(column: Column): string {
  return column.type === 'DATE' || column.type === 'TIMESTAMP' ? 'VARCHAR' : column.type;
}

/** Dates through `strptime` with the column's own format: as fast as the reader's one format for all of them. */
function projectionOf(column: Column, index: number): string {
  return `${valueOf(column, `c${index}`)} AS ${quoteIdentifier(column.name)}`;
}

function valueOf(column: Column, read: string): string {
  if (column.type !== 'DATE' && column.type !== 'TIMESTAMP') return read;
  // Without a format there is no value.
  if (column.format === undefined) return `CAST(${read} AS ${column.type})`;
  return `CAST(strptime(${read}, ${strptimeFormat(column.format)}) AS ${column.type})`;
}

/** Our `%f` is an optional fraction with its point. */
function strptimeFormat(format: string): string {
  if (!format.endsWith('%f')) return quoteLiteral(format);
  const whole = format.slice(0, -2);
  return `[${quoteLiteral(whole)}, ${quoteLiteral(`${whole}.%f`)}]`;
}

function emptyCopy(columns: readonly Column[], path: string): string {
  const nothing = columns.map(
    (column) => `CAST(NULL AS ${column.type}) AS ${quoteIdentifier(column.name)}`,
  );
  return `COPY (SELECT ${nothing.join(', ')} WHERE false) TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd)`;
}
