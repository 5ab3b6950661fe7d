import { join } from 'node:path';
import type { DuckDbSettings } from '../../config/settings.ts';
import { quoteIdentifier, quoteLiteral } from '../../model/names.ts';
import { isReadableWhole } from '../../model/scan.ts';
import type { Column } from '../../model/schema.ts';
import { uriOf } from '../../storage/location.ts';
import type { DuckDbS3Access } from '../../storage/s3/engine-access.ts';
import { lineEndOf, preparationOf, readsExactly, type Preparation } from '../prepare.ts';
import { MAX_REWRITE_GROWTH } from '../../csv/rewrite.ts';
import type { ConversionRequest } from '../engine.ts';
import type { PartToWrite } from '../parts.ts';

/** DuckDB's default for the longest line. Only longer lines need a larger buffer. */
const DEFAULT_MAX_LINE_BYTES = 2_000_000;
/** DuckDB's read buffer holds this many longest lines: a line may start anywhere in one buffer and end in the next. */
const LINES_A_BUFFER = 2;

/** The whole work of the child as plain data. */
export interface DuckDbJob {
  settings: string[];
  /** Present if one of its files lies in S3. */
  s3?: DuckDbS3Access & {
    /** If the worker is gone, the child removes this folder. On disk the sweep removes it with the attempt. */
    scratchFolder: string;
  };
  preparation?: Preparation;
  copy: string;
  /** Number of rows that DuckDB must write. */
  records: number;
  /** Length of the range. */
  inputBytes: number;
}

export interface JobPlan {
  job: DuckDbJob;
  /**
   * The same job with DuckDB's single-threaded reader. Line breaks in quotes can mislead the parallel reader if the
   * text between them looks like records. It uses the file that the first job prepared.
   */
  serialJob?: DuckDbJob;
  /** Key of a shard. The range must first be copied to it, because DuckDB reads files from their start. */
  shardKey?: string;
}

interface PlanOptions {
  /** Path of the httpfs extension, if the lake lies in S3. */
  httpfsPath: string | undefined;
  /** True if the range starts with the bytes of a byte order mark. At this place they are part of a value. */
  isMarked: boolean;
}

/** Plans DuckDB's work for a part. */
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
  // Of a file without records, the prepared file is a header that every reader reads.
  const isNeeded = rewrite || isMarked || found.transcode || scan.records === 0;
  const preparation = isNeeded ? found : undefined;
  const isWhole = range.whole && isReadableWhole(scan.dialect);
  const isShard = preparation === undefined && !isWhole;
  const shardKey = `${scratchPrefix}shard.csv`;
  const location = output.location(key);
  const outputPath = location.kind === 's3' ? uriOf(location) : partialPath;
  const csv = {
    path: preparation?.outputPath ?? (isShard ? output.uri(shardKey) : uriOf(request.location)),
    delimiter: preparation?.rewrite ? ',' : scan.dialect.delimiter,
    header: preparation !== undefined || (isWhole && scan.dialect.header !== false),
    lineEnd: preparation?.rewrite ? '\n' : lineEndOf(scan),
    maxLineBytes: scan.maxRecordBytes * (preparation ? MAX_REWRITE_GROWTH : 1) + 1024,
  };
  const values = schema.columns.map(
    (column, index) => `${valueOf(column, `c${index}`)} AS ${quoteIdentifier(column.name)}`,
  );
  const forWidth = settingsForWidth(schema.columns.length, settings);
  const copy = (parallel: boolean): string =>
    `COPY (SELECT ${values.join(', ')} FROM ${readCsv(csv, schema.columns, parallel)}) ` +
    `TO ${quoteLiteral(outputPath)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${forWidth.rowsAGroup})`;
  const base = {
    settings: settingStatements(forWidth, scratchFolder),
    records: range.records,
    inputBytes: range.end - range.start,
    ...(location.kind === 's3' && httpfsPath !== undefined
      ? { s3: { settings: location.settings, httpfsPath, scratchFolder } }
      : {}),
  };
  return {
    job: { ...base, copy: copy(true), preparation },
    ...(scan.quotedBreaks > 0 ? { serialJob: { ...base, copy: copy(false) } } : {}),
    ...(isShard ? { shardKey } : {}),
  };
}

/** The settings that each job of Longhaul makes first. */
export function settingStatements(
  settings: Pick<DuckDbSettings, 'memoryLimit' | 'threads'>,
  scratchFolder: string,
): string[] {
  return [
    `SET memory_limit = ${quoteLiteral(settings.memoryLimit)}`,
    `SET threads = ${settings.threads}`,
    `SET temp_directory = ${quoteLiteral(scratchFolder)}`,
    'SET preserve_insertion_order = true',
    // DuckDB must not download extensions: those that it needs are built in.
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

/** Columns are `c0`, `c1`, … here. A publisher's names appear only as identifiers of the output. */
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

/** Reads dates with `strptime` and the column's own format. That is as fast as one format for the whole reader. */
function valueOf(column: Column, read: string): string {
  if (column.type !== 'DATE' && column.type !== 'TIMESTAMP') return read;
  // If a column has no format, it has no value.
  if (column.format === undefined) return `CAST(${read} AS ${column.type})`;
  return `CAST(strptime(${read}, ${strptimeFormat(column.format)}) AS ${column.type})`;
}

/** Longhaul's `%f` is an optional fraction including its point. */
function strptimeFormat(format: string): string {
  if (!format.endsWith('%f')) return quoteLiteral(format);
  const whole = format.slice(0, -2);
  return `[${quoteLiteral(whole)}, ${quoteLiteral(`${whole}.%f`)}]`;
}

const MIB = 1024 * 1024;

/** Rows of a DuckDB vector. DuckDB reserves room for that many values of each column, even for fewer rows. */
const VECTOR_ROWS = 2048;
/** Bytes of a text in a vector. */
const VALUE_BYTES = 16;
/** Vectors of each column that a thread holds at once. With 9,074 columns DuckDB needs 5, and 7 to avoid spilling. */
const VECTORS_A_THREAD = 7;
/** DuckDB's own number of rows in a row group: it fits its vectors, and readers can skip groups. */
const ROWS_A_GROUP = 122_880;
/** Largest share of the memory for the row group that DuckDB is filling. */
const GROUP_SHARE = 1 / 4;

/**
 * Settings for a table of many columns: fewer threads and shorter row groups, so that its vectors fit into the memory.
 * If the vectors of one thread do not fit either, DuckDB gets as much memory as they need: there is no other way.
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

/** Reads the sizes that the settings accept, such as `2GiB` and `512MB`, as DuckDB does. */
function bytesOf(size: string): number {
  const [, number = '0', unit = ''] = /^([\d.]+)([KMGT]i?)B$/.exec(size) ?? [];
  const base = unit.endsWith('i') ? 1024 : 1000;
  return Number(number) * base ** ('KMGT'.indexOf(unit.charAt(0)) + 1);
}
