import type { SourceOverrides } from '../model/dataset.ts';
import { csvReadingOf, type CsvReading, type CsvScan, type Dialect } from '../model/scan.ts';
import { LonghaulError } from '../model/errors.ts';
import type { Column } from '../model/schema.ts';
import { HEAD_BYTES, sniffHead } from '../csv/dialect.ts';
import { decideEncoding } from '../csv/encoding.ts';
import { EvidenceCollector, noEvidence, shapesOfAll, valueText } from '../csv/profile.ts';
import { assertReadable } from '../csv/readable.ts';
import { CsvScanner } from '../csv/scanner.ts';
import { MAX_RECORD_BYTES } from '../csv/scanner-state.ts';
import { assertPlainText } from '../landing/content-kind.ts';
import { namedColumns, typedColumn } from './column-types.ts';
import { whyDelimiter, whyEncoding, whyType } from './why.ts';

/** How a file is read and typed, and why, as plain JSON. */
export interface FileReport {
  /** Longhaul itself wrote the file from a portal's records. */
  isCanonical?: true;
  /** Bytes that the report covers: whole records from the file's first byte on. */
  bytes: number;
  isWhole: boolean;
  /** Length of the whole file, if it is known. */
  totalBytes?: number;
  records: number;
  reading: CsvReading & Pick<CsvScan, 'headerLine'>;
  why: { delimiter: string; encoding: string };
  scan: Pick<
    CsvScan,
    'lineEnds' | 'blankLines' | 'quotedBreaks' | 'maxRecordBytes' | 'encoding'
  > & {
    bomBytes: number;
  };
  columns: ReportedColumn[];
  /** Errors for which a run would refuse the file. */
  problems: LonghaulError[];
}

export interface ReportedColumn extends Column {
  why: string;
  /** Number of records without a value. */
  emptyRecords: number;
  /** The first few different values. Long ones are cut. */
  examples: string[];
}

interface FileToReport {
  /** The source's id, for messages. */
  source: string;
  body: AsyncIterable<Buffer>;
  overrides: SourceOverrides;
  /** Longhaul itself wrote the file from a portal's records. */
  isCanonical?: boolean | undefined;
  /** The report reads no more bytes than this. */
  limitBytes: number;
  /** Length of the whole file, if it is known. */
  totalBytes?: number | undefined;
}

/** Smaller pieces are joined first. Otherwise a long record would be parsed again for each small piece. */
const MIN_BLOCK_BYTES = HEAD_BYTES;

/**
 * Reports how a file is read, and its columns, from its first bytes or from all. The rules are those of a run. The
 * report also keeps the evidence.
 * @throws LonghaulError as `assertPlainText` and `sniffHead` do; SOURCE_RECORD_TOO_LONG; CONFIG_INVALID of declared
 *   columns; whatever the body throws.
 */
export async function reportFile(file: FileToReport): Promise<FileReport> {
  const { overrides, source } = file;
  const blocks = blocksOf(file);
  const first = await blocks.next();
  const { bytes: head, end } = first.value as Block;
  assertPlainText(head);
  const { dialect, problems } = dialectOf(head, end, overrides);
  const scanner = new CsvScanner(dialect);
  const collector = new EvidenceCollector(dialect);
  let rest: Buffer = Buffer.alloc(0);
  let bytes = 0;
  let isWhole = false;
  const take = (block: Block): void => {
    const limit = rest.length + block.bytes.length;
    const all = Buffer.concat([rest, block.bytes], limit + 1);
    const taken = collector.push(all, limit, block.end);
    scanner.push(all.subarray(0, taken));
    bytes += taken;
    rest = all.subarray(taken, limit);
    isWhole = block.end;
    if (rest.length > MAX_RECORD_BYTES) throw tooLong(source, bytes);
  };
  take({ bytes: head, end });
  for await (const block of blocks) take(block);
  const scan = scanner.finish(overrides.encoding);
  return reportOf(file, { head, scan, collector, bytes, isWhole, problems });
}

/** If the first record may be data, that is a reported problem, and the record is read as the header. */
function dialectOf(
  head: Buffer,
  end: boolean,
  overrides: SourceOverrides,
): { dialect: Dialect; problems: LonghaulError[] } {
  const sniff = (declared: SourceOverrides): Dialect =>
    sniffHead(head.subarray(0, HEAD_BYTES), end && head.length <= HEAD_BYTES, declared);
  try {
    return { dialect: sniff(overrides), problems: [] };
  } catch (error) {
    if (!(error instanceof LonghaulError) || error.code !== 'SOURCE_HEADER_UNCLEAR') throw error;
    return { dialect: sniff({ ...overrides, header: true }), problems: [error] };
  }
}

function tooLong(source: string, offset: number): LonghaulError {
  const what = `Source ${source} has a record that does not end, at byte ${offset}`;
  return new LonghaulError('SOURCE_RECORD_TOO_LONG', `${what}: most likely a quote is missing.`, {
    source,
  });
}

interface Block {
  bytes: Buffer;
  /** True if the file ends behind these bytes. */
  end: boolean;
}

/** Reads the body up to the limit. The first block is at least as long as the head. */
async function* blocksOf({ body, limitBytes, totalBytes }: FileToReport): AsyncGenerator<Block> {
  let pieces: Buffer[] = [];
  let held = 0;
  let total = 0;
  for await (const piece of body) {
    const part = piece.subarray(0, limitBytes - total);
    pieces.push(Buffer.from(part));
    held += part.length;
    total += part.length;
    const isCut = part.length < piece.length || (total === limitBytes && total !== totalBytes);
    if (isCut) {
      yield { bytes: Buffer.concat(pieces), end: false };
      return;
    }
    if (held >= MIN_BLOCK_BYTES) {
      const bytes = Buffer.concat(pieces);
      pieces = [];
      held = 0;
      yield { bytes, end: false };
    }
  }
  yield { bytes: Buffer.concat(pieces), end: totalBytes === undefined || totalBytes === total };
}

interface Seen {
  head: Buffer;
  scan: CsvScan;
  collector: EvidenceCollector;
  bytes: number;
  isWhole: boolean;
  /** Problems found so far. */
  problems: LonghaulError[];
}

function reportOf(file: FileToReport, seen: Seen): FileReport {
  const { source, overrides, totalBytes, isCanonical } = file;
  const { head, scan, collector, bytes, isWhole, problems } = seen;
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof LonghaulError)) throw error;
      problems.push(error);
      return undefined;
    }
  };
  const decided = attempt(() => decideEncoding(scan, overrides.encoding));
  const encoding = decided ?? overrides.encoding ?? 'windows-1252';
  attempt(() => assertReadable(scan, source));
  const { headerLine, lineEnds, blankLines, quotedBreaks, maxRecordBytes } = scan;
  const reading = { ...csvReadingOf(scan, encoding, overrides), headerLine };
  const { bomBytes } = scan.dialect;
  return {
    ...(isCanonical && { isCanonical }),
    bytes,
    isWhole,
    ...(totalBytes !== undefined && { totalBytes }),
    records: scan.records,
    reading,
    why: {
      delimiter: whyDelimiter(scan.dialect, head, isWhole && head.length === bytes),
      encoding: decided === undefined ? 'unclear, see below' : whyEncoding(scan, reading),
    },
    scan: { lineEnds, blankLines, quotedBreaks, maxRecordBytes, encoding: scan.encoding, bomBytes },
    columns: columnsOf(scan.header, collector, overrides, { encoding, problems }),
    problems,
  };
}

function columnsOf(
  header: readonly string[],
  { columns, records }: EvidenceCollector,
  overrides: SourceOverrides,
  { encoding, problems }: { encoding: CsvReading['encoding']; problems: LonghaulError[] },
): ReportedColumn[] {
  const misfits: string[] = [];
  const reported = namedColumns(header, overrides).map((named, index): ReportedColumn => {
    const evidence = columns[index] ?? noEvidence();
    const { column, declared, fits } = typedColumn(named, shapesOfAll(evidence), overrides);
    const why = whyType(column, declared, { evidence, encoding });
    if (!fits) misfits.push(`${column.name}: ${why}`);
    return {
      ...column,
      why,
      emptyRecords: records - evidence.values,
      examples: evidence.examples.map((each) => valueText(each, encoding)),
    };
  });
  if (misfits.length > 0) {
    problems.push(new LonghaulError('VALUES_UNCONVERTIBLE', `${misfits.join('. ')}.`));
  }
  return reported;
}
