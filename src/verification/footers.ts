import { parquetMetadataAsync, type FileMetaData, type ParquetParsers } from 'hyparquet';
import { LonghaulError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';

/** Where Parquet files are: a zone of the lake, or another store that reads ranges. */
export type ParquetFiles = Pick<Store, 'uri' | 'size' | 'readRange'>;

/** The magic at both ends and the footer's length. No Parquet file is shorter. */
const MIN_PARQUET_BYTES = 12;
const MAGIC = 'PAR1';

/**
 * Parsers that leave least and greatest values as they are stored: moments in their own unit (a Date has no
 * microseconds), days since 1970-01-01, and text in bytes, because a writer may have cut it within a character.
 */
const AS_STORED = {
  timestampFromMilliseconds: (millis: bigint) => millis,
  timestampFromMicroseconds: (micros: bigint) => micros,
  timestampFromNanoseconds: (nanos: bigint) => nanos,
  dateFromDays: (days: number) => days,
  stringFromBytes: (bytes: Uint8Array) => bytes,
};

/**
 * The footer of a Parquet file, its rows by the row groups, and the file's length. The program that reads them did not
 * write the file.
 * @throws LonghaulError LAKE_CORRUPT if the file is missing, cut short, or not Parquet.
 */
export async function readFooter(
  store: ParquetFiles,
  key: string,
): Promise<{ footer: FileMetaData; rows: number; bytes: number }> {
  const bytes = await store.size(key);
  if (bytes === undefined) throw corrupt(store, key, 'is missing');
  if (bytes < MIN_PARQUET_BYTES) throw corrupt(store, key, `has only ${bytes} bytes`);
  const slice = async (start: number, end = bytes): Promise<ArrayBuffer> => {
    const found = await store.readRange(key, start, end);
    // The reader takes a whole ArrayBuffer, so the bytes get one of their own.
    if (found.length === end - start) return new Uint8Array(found).buffer;
    throw corrupt(store, key, `ends at byte ${start + found.length}`);
  };
  try {
    // The reader checks only the magic at the end.
    const magic = Buffer.from(await slice(0, MAGIC.length)).toString('latin1');
    if (magic !== MAGIC) throw corrupt(store, key, `does not start with ${MAGIC}`);
    const file = { byteLength: bytes, slice };
    const options = { geoparquet: false, parsers: AS_STORED as unknown as ParquetParsers };
    const footer = await parquetMetadataAsync(file, options);
    const rows = footer.row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0);
    if (rows === Number(footer.num_rows)) return { footer, rows, bytes };
    const says = `says ${Number(footer.num_rows)} rows, but its row groups have ${rows}`;
    throw corrupt(store, key, says);
  } catch (error) {
    if (error instanceof LonghaulError) throw error;
    // The reader throws RangeErrors and TypeErrors if the bytes are not a footer.
    throw corrupt(store, key, 'has no readable Parquet footer', error);
  }
}

function corrupt(store: ParquetFiles, key: string, what: string, cause?: unknown): LonghaulError {
  return new LonghaulError('LAKE_CORRUPT', `${store.uri(key)} ${what}.`, {}, { cause });
}
