import { crc32 } from 'node:zlib';
import { formatChecksum } from '../model/checksum.ts';
import type { CsvScan, Dialect } from '../model/scan.ts';
import { placeBlocks } from '../storage/place-blocks.ts';
import type { StoredPlace } from '../storage/place.ts';
import { CsvScanner } from './record-scanner.ts';

export interface Rescan {
  bytes: number;
  checksum: string;
  scan: CsvScan;
}

/**
 * Counts and checksums a landed file again, as it is in its store now.
 * @param onProgress bytes so far.
 * @throws LonghaulError LAKE_CORRUPT where the file is not there; STORE_… of S3; the signal's reason.
 */
export async function rescan(
  place: StoredPlace,
  dialect: Dialect,
  onProgress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Rescan> {
  const scanner = new CsvScanner(dialect);
  let bytes = 0;
  let crc = 0;
  for await (const block of placeBlocks(place, { signal })) {
    crc = crc32(block, crc);
    scanner.push(block);
    bytes += block.length;
    onProgress(bytes);
  }
  return { bytes, checksum: formatChecksum(crc), scan: scanner.finish() };
}
