import { createReadStream } from 'node:fs';
import { crc32 } from 'node:zlib';
import { formatChecksum } from '../model/checksum.ts';
import { LonghaulError } from '../model/errors.ts';
import type { CsvScan, Dialect } from '../model/scan.ts';
import { CsvScanner } from './record-scanner.ts';

const READ_BYTES = 1024 * 1024;

export interface Rescan {
  bytes: number;
  checksum: string;
  scan: CsvScan;
}

/**
 * Counts and checksums a landed file again, as it is on the disk now.
 * @param onProgress bytes so far.
 * @throws LonghaulError LAKE_CORRUPT where the file is not there.
 */
export async function rescan(
  path: string,
  dialect: Dialect,
  onProgress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Rescan> {
  const scanner = new CsvScanner(dialect);
  let bytes = 0;
  let crc = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES, signal })) {
      const block = chunk as Buffer;
      crc = crc32(block, crc);
      scanner.push(block);
      bytes += block.length;
      onProgress(bytes);
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new LonghaulError('LAKE_CORRUPT', `${path} is gone.`, {}, { cause: error });
  }
  return { bytes, checksum: formatChecksum(crc), scan: scanner.finish() };
}
