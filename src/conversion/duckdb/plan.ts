import { join } from 'node:path';
import type { DuckDbSettings, S3Settings } from '../../config/settings.ts';
import { quoteIdentifier, quoteLiteral } from '../../model/names.ts';
import { isReadableWhole } from '../../model/scan.ts';
import type { Column } from '../../model/schema.ts';
import { uriOf } from '../../storage/location.ts';
import { lineEndOf, preparationOf, readsExactly, type Preparation } from '../prepare.ts';
import { MAX_REWRITE_GROWTH } from '../../csv/rewrite.ts';
import type { ConversionRequest } from '../engine.ts';
import type { PartToWrite } from '../parts.ts';

/** DuckDB's own longest line; only longer ones need a larger buffer. */
const DEFAULT_MAX_LINE_BYTES = 2_000_000;
/** The size of DuckDB's read buffer, in longest lines: a line may start anywhere in one and end in the next. */
const LINES_A_BUFFER = 2;

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
  const rewrite = !readsExactly(scan, request.encoding);
  const prepared = join(scratchFolder, 'prepared.csv');
  const found = preparationOf(request, range, prepared, rewrite);
  const isNeeded = scan.records > 0 && (rewrite || isMarked || found.transcode);
  const preparation = isNeeded ? found : undefined;
  const isWhole = range.whole && isReadableWhole(scan.dialect);
  const isShard = preparation === undefined && !isWhole;
  const shardKey = `${scratchPrefix}shard.csv`;
  const location = output.location(key);
  const outputPath = location.kind === 's3' ? uriOf(location) : partialPath;
  const csv = {
    path: preparation?.outputPath ?? (isShard ? output.uri(shardKey) : uriOf(request.input)),
    delimiter: preparation?.rewrite ? ',' : scan.dialect.delimiter,
    header: preparation !== undefined || (isWhole && scan.dialect.header !== false),
    lineEnd: preparation?.rewrite ? '\n' : lineEndOf(scan),
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

const MIB = 1024 * 1024;

/** DuckDB's vector: it makes room for that many values of each column, however few rows there are. */
const VECTOR_ROWS = 2048;
/** What a text takes in a vector. */
const VALUE_BYTES = 16;
/** Vectors of each column that a thread holds from reader to writer: 9,074 columns need 5 to get through, 7 not to spill. */
const VECTORS_A_THREAD = 7;
/** As many rows as DuckDB's own row groups hold: its vectors fit, and readers can skip. */
const ROWS_A_GROUP = 122_880;
/** The share of the memory that the row group may take that is being filled. */
const GROUP_SHARE = 1 / 4;

/**
 * What a table of many columns is written with: fewer threads and shorter row groups, so that its vectors fit into the
 * memory; and where not even one thread's do, as much memory as they need, since there is no other way.
 */
export function settingsForWidth(
  columns: number,
  { memoryLimit, threads }: Pick<DuckDbSettings, 'memoryLimit' | 'threads'>,
): { memoryLimit: string; threads: number; rowsAGroup: number } {
  const limitBytes = bytesOf(memoryLimit);
  const threadBytes = columns * VECTORS_A_THREAD * VECTOR_ROWS * VALUE_BYTES;
  const bytes = Math.max(limitBytes, threadBytes);
  const vectors = Math.floor((bytes * GROUP_SHARE) / (columns * VALUE_BYTES * VECTOR_ROWS));
  return {
    memoryLimit: bytes > limitBytes ? `${Math.ceil(bytes / MIB)}MiB` : memoryLimit,
    threads: Math.max(1, Math.min(threads, Math.floor(bytes / threadBytes))),
    rowsAGroup: Math.min(ROWS_A_GROUP, Math.max(1, vectors) * VECTOR_ROWS),
  };
}

/** As DuckDB reads what the settings allow: `2GiB`, `512MB`. */
function bytesOf(size: string): number {
  const [, number = '0', unit = ''] = /^([\d.]+)([KMGT]i?)B$/.exec(size) ?? [];
  const base = unit.endsWith('i') ? 1024 : 1000;
  return Number(number) * base ** ('KMGT'.indexOf(unit.charAt(0)) + 1);
}
