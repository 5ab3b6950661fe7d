import parquet from 'parquetjs-lite';
import { LonghaulError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';

/** Where Parquet files lie: a zone of the lake, or whatever else reads ranges. */
export type ParquetFiles = Pick<Store, 'uri' | 'size' | 'readRange'>;

/** The magic at both ends and the footer's length: no Parquet file is shorter. */
const MIN_PARQUET_BYTES = 12;

/**
 * Rows of a Parquet file as its footer's row groups say, read by a program that is none of its writers.
 * @throws LonghaulError LAKE_CORRUPT for a file that is missing, cut short, or not Parquet.
 */
export async function countParquetRows(
  store: ParquetFiles,
  key: string,
): Promise<{ rows: number; bytes: number }> {
  const bytes = await store.size(key);
  if (bytes === undefined) throw corrupt(store, key, 'is missing');
  if (bytes < MIN_PARQUET_BYTES) throw corrupt(store, key, `has only ${bytes} bytes`);
  const reader = new parquet.ParquetEnvelopeReader(
    async (offset, length) => await readExactly(store, key, { offset, length, bytes }),
    () => undefined,
    bytes,
  );
  try {
    await reader.readHeader();
    const footer = await reader.readFooter();
    const rows = footer.row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0);
    if (rows === Number(footer.num_rows)) return { rows, bytes };
    throw corrupt(store, key, `says ${Number(footer.num_rows)} rows, its row groups hold ${rows}`);
  } catch (error) {
    if (error instanceof LonghaulError) throw error;
    // The reader throws strings, and TypeErrors for what is no footer.
    throw corrupt(store, key, 'has no readable Parquet footer', error);
  }
}

interface ByteRange {
  offset: number;
  length: number;
  /** Of the whole file: a damaged footer length leads outside of it. */
  bytes: number;
}

async function readExactly(store: ParquetFiles, key: string, range: ByteRange): Promise<Buffer> {
  const { offset, length, bytes } = range;
  if (offset < 0 || length < 0 || offset + length > bytes) {
    throw corrupt(store, key, `points outside of itself (byte ${offset} + ${length} of ${bytes})`);
  }
  const buffer = await store.readRange(key, offset, offset + length);
  if (buffer.length === length) return buffer;
  throw corrupt(store, key, `ends at byte ${offset + buffer.length}`);
}

function corrupt(store: ParquetFiles, key: string, what: string, cause?: unknown): LonghaulError {
  return new LonghaulError('LAKE_CORRUPT', `${store.uri(key)} ${what}.`, {}, { cause });
}
