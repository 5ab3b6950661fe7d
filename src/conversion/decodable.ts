import type { Encoding } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import type { CsvScan } from '../model/scan.ts';

/**
 * No decoder here puts U+FFFD for what it cannot read, whatever was declared.
 * @throws LonghaulError SOURCE_ENCODING_UNCLEAR with the offset of the first byte that is not UTF-8.
 */
export function assertDecodable(scan: CsvScan, encoding: Encoding): void {
  const offset = scan.encoding.firstInvalidUtf8;
  if (encoding !== 'utf-8' || offset === undefined) return;
  throw new LonghaulError(
    'SOURCE_ENCODING_UNCLEAR',
    `The file is read as UTF-8, but the byte at offset ${offset} is not UTF-8.`,
  );
}
