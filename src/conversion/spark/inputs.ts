import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isReadableWhole, type CsvScan } from '../../model/scan.ts';
import { openLocation, type Location } from '../../storage/location.ts';
import { prepareInThreads } from '../prepare.ts';
import type { Preparation } from '../prepare.ts';
import type { ConversionRequest } from '../engine.ts';
import { lineEndOf, readsExactly, shardsOf, type Shard, type SparkJob } from './job.ts';

/** Of a job: what it reads, and how. */
export type SparkInputs = Pick<
  SparkJob,
  'inputs' | 'header' | 'delimiter' | 'encoding' | 'lineEnd'
>;

export interface InputsToMake {
  request: ConversionRequest;
  shardBytes: number;
  /** On this machine, of this attempt's own. */
  scratchFolder: string;
  /** In the request's output, ending with `/`: for shards. */
  shardsPrefix: string;
  /** As Spark opens it. */
  uriOf: (location: Location) => string;
  /** @param bytes of the records made ready so far. */
  onProgress: (bytes: number) => void;
}

/**
 * What Spark reads: the landed file itself where it is one shard that Spark reads exactly; else shards of it, copied as
 * they are; else shards written anew, in a form that every reader reads alike.
 */
export async function makeInputs(making: InputsToMake): Promise<SparkInputs> {
  const { request, shardBytes, uriOf } = making;
  const { scan, encoding, inputBytes, signal } = request;
  const shards = shardsOf({ bytes: inputBytes, scan }, shardBytes);
  const exact = readsExactly(scan, encoding) && !(await anyIsMarked(request, shards));
  if (!exact) return await preparedInputs(making, shards);
  const asIs = { delimiter: scan.dialect.delimiter, encoding, lineEnd: lineEndOf(scan) };
  const [first] = shards;
  if (first && isOneWhole(shards, scan)) {
    const whole = { uri: uriOf(request.input), bytes: inputBytes, records: first.records };
    return { ...asIs, header: scan.dialect.header !== false, inputs: [whole] };
  }
  const inputs = [];
  for (const [index, { start, end, records }] of shards.entries()) {
    const key = making.shardsPrefix + shardName(index);
    await request.output.copyRange({ location: request.input, start, end }, key, signal);
    inputs.push({ uri: uriOf(request.output.location(key)), bytes: end - start, records });
  }
  return { ...asIs, header: false, inputs };
}

function isOneWhole(shards: readonly Shard[], { dialect }: CsvScan): boolean {
  return shards.length === 1 && isReadableWhole(dialect);
}

function shardName(index: number): string {
  return `shard-${String(index).padStart(5, '0')}.csv`;
}

/**
 * Whether a file that Spark would open starts with what it takes for a byte order mark: it would drop it, and decode
 * the rest as the mark says. The mark of a whole UTF-8 file is one.
 */
async function anyIsMarked(
  { input, scan, encoding, signal }: ConversionRequest,
  shards: readonly Shard[],
): Promise<boolean> {
  const isWhole = isOneWhole(shards, scan);
  if (isWhole && encoding === 'utf-8') return false;
  const starts = isWhole ? [0] : shards.map(({ start }) => start);
  const reader = await openLocation(input, { signal });
  try {
    for (const start of starts) {
      const bytes = Buffer.alloc(MARK_BYTES);
      await reader.read(bytes, start);
      if (MARKS.some((mark) => bytes.subarray(0, mark.length).equals(mark))) return true;
    }
    return scan.dialect.bomBytes > 0 && encoding !== 'utf-8';
  } finally {
    await reader.close();
  }
}

const MARK_BYTES = 3;
/** Of UTF-8 and UTF-16; a file with one of UTF-32 has NUL bytes. */
const MARKS = [
  [0xef, 0xbb, 0xbf],
  [0xfe, 0xff],
  [0xff, 0xfe],
].map((bytes) => Buffer.from(bytes));

/** With a header line: a reader takes a mark that starts a file, even a value's, for none of its. */
async function preparedInputs(
  { request, scratchFolder, shardsPrefix, uriOf, onProgress }: InputsToMake,
  shards: readonly Shard[],
): Promise<SparkInputs> {
  const { scan, schema, encoding, output, signal } = request;
  const ranges = shards.map(({ start, end }, index): Preparation => ({
    location: request.input,
    start,
    end,
    outputPath: join(scratchFolder, shardName(index)),
    header: `${schema.columns.map((_, column) => `c${column}`).join(',')}\n`,
    transcode: encoding === 'windows-1252' && !scan.encoding.ascii,
    rewrite: true,
    delimiter: scan.dialect.delimiter.charCodeAt(0),
    columns: schema.columns.length,
  }));
  await prepareInThreads(ranges, signal, onProgress);
  const inputs = [];
  for (const [index, { outputPath }] of ranges.entries()) {
    const shard = shards[index] as Shard;
    const { size: bytes } = await stat(outputPath);
    let location: Location = output.location(shardsPrefix + shardName(index));
    if (location.kind === 's3')
      await output.putFile(shardsPrefix + shardName(index), outputPath, signal);
    else location = { kind: 'disk', path: outputPath };
    inputs.push({ uri: uriOf(location), bytes, records: shard.records });
  }
  return { inputs, header: true, delimiter: ',', encoding: 'utf-8', lineEnd: '\n' };
}
