import { denverCrime } from './crime.ts';
import { denver311 } from './denver-311.ts';
import { Random } from './random.ts';
import type { FileShape, RecordContext } from './shape.ts';
import { denverTrafficAccidents } from './traffic-accidents.ts';

export const GENERATED_DATASETS = [
  'denver-311',
  'denver-traffic-accidents',
  'denver-crime',
] as const;
export type GeneratedDataset = (typeof GENERATED_DATASETS)[number];

export interface GenerateOptions {
  dataset: GeneratedDataset;
  /** Decides columns, encoding, quoting and formats. */
  year: number;
  /** The same seed gives the same bytes, on every machine. */
  seed: number;
  /** Whole records up to this many bytes, or this many records. */
  limit: { bytes: number } | { records: number };
}

export interface GeneratedFile {
  /** Bytes of the file, made while they are read. They can be read once. */
  chunks: Iterable<Buffer>;
  /** Records made so far. When `chunks` has ended, all are counted. */
  readonly records: number;
  readonly bytes: number;
}

/** Large enough that passing a chunk on costs no time, and small enough to need little memory. */
const CHUNK_BYTES = 1024 * 1024;
/** Longer than any record here. */
const MAX_RECORD_BYTES = 4096;
/** One record in this many is an exact copy of the record before it. The real files have such copies. */
export const DUPLICATE_EVERY = 500;

const SHAPES: Record<GeneratedDataset, (year: number, seed: number) => FileShape> = {
  'denver-311': denver311,
  'denver-traffic-accidents': denverTrafficAccidents,
  'denver-crime': denverCrime,
};

/** A Denver-shaped CSV file of any size, in constant memory. */
export function generate({ dataset, year, seed, limit }: GenerateOptions): GeneratedFile {
  const file = { records: 0, bytes: 0 };
  const shape = SHAPES[dataset](year, seed);
  const random = new Random(seed, `${dataset}/${year}/records`);
  const chunks = chunksOf(shape, random, limit, file);
  return {
    chunks,
    get records() {
      return file.records;
    },
    get bytes() {
      return file.bytes;
    },
  };
}

function* chunksOf(
  shape: FileShape,
  random: Random,
  limit: GenerateOptions['limit'],
  file: { records: number; bytes: number },
): Generator<Buffer, void> {
  const maxRecords = 'records' in limit ? limit.records : Infinity;
  const maxBytes = 'bytes' in limit ? limit.bytes : Infinity;
  const writer = new RecordWriter(shape, random);
  yield shape.preamble;
  file.bytes = shape.preamble.length;
  let chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  let end = 0;
  while (file.records < maxRecords) {
    if (end + MAX_RECORD_BYTES > CHUNK_BYTES) {
      yield chunk.subarray(0, end);
      chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      end = 0;
    }
    const next = writer.write(chunk, end, file.records);
    if (file.bytes + next - end > maxBytes) break;
    file.bytes += next - end;
    file.records += 1;
    end = next;
  }
  if (!shape.endsWithLineEnd && file.records > 0) {
    end -= 2;
    file.bytes -= 2;
  }
  if (end > 0) yield chunk.subarray(0, end);
}

class RecordWriter {
  readonly #shape: FileShape;
  readonly #context: RecordContext;
  readonly #last = Buffer.alloc(MAX_RECORD_BYTES);
  #lastLength = 0;

  constructor(shape: FileShape, random: Random) {
    this.#shape = shape;
    this.#context = { index: 0, random };
  }

  /** @returns the offset behind the record. */
  write(target: Buffer, start: number, index: number): number {
    if (index % DUPLICATE_EVERY === DUPLICATE_EVERY - 1) {
      return start + this.#last.copy(target, start, 0, this.#lastLength);
    }
    this.#context.index = index;
    let at = start;
    for (const part of this.#shape.parts) at = part(target, at, this.#context);
    if (index % DUPLICATE_EVERY === DUPLICATE_EVERY - 2) {
      this.#lastLength = target.copy(this.#last, 0, start, at);
    }
    return at;
  }
}
