import type { SourceOverrides } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import type { Dialect } from '../model/scan.ts';
import { assertPlainText } from './content-kind.ts';
import { CsvScanner } from './record-scanner.ts';

/** What a dialect is told from: many records of any real file, and one short request. */
export const HEAD_BYTES = 1024 * 1024;

/** In order of preference where two fit equally well. */
const DELIMITERS = [',', ';', '\t', '|'];

/** A delimiter with which more of the records differ from the header than this is not the file's. */
const MAX_BAD_SHARE = 0.5;

const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * How a file is written, from its first bytes.
 * @param head the first `HEAD_BYTES`, or all there is.
 * @param complete whether that is the whole file.
 * @throws LonghaulError SOURCE_EMPTY, SOURCE_IS_HTML, SOURCE_NOT_CSV, SOURCE_COMPRESSED, SOURCE_ENCODING_UNSUPPORTED.
 */
export function sniffHead(head: Buffer, complete: boolean, overrides: SourceOverrides): Dialect {
  if (complete && head.length === 0) {
    throw new LonghaulError('SOURCE_EMPTY', 'The file has no byte.');
  }
  assertPlainText(head);
  const bomBytes = head.subarray(0, UTF8_MARK.length).equals(UTF8_MARK) ? UTF8_MARK.length : 0;
  if (complete && isBlank(head.subarray(bomBytes))) {
    throw new LonghaulError('SOURCE_EMPTY', `The file has ${head.length} bytes of blank lines.`);
  }
  const delimiter = overrides.delimiter ?? likeliestDelimiter(head, bomBytes);
  return { delimiter, quote: '"', bomBytes };
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x0a || byte === 0x0d);
}

/** The one with which the most records are like the header; of equal ones, the one with the most columns. */
function likeliestDelimiter(head: Buffer, bomBytes: number): string {
  let best = { delimiter: ',', badShare: MAX_BAD_SHARE, columns: 1 };
  for (const delimiter of DELIMITERS) {
    const { badShare, columns } = fit(head, { delimiter, quote: '"', bomBytes });
    const better =
      badShare < best.badShare || (badShare === best.badShare && columns > best.columns);
    if (columns > 1 && better) best = { delimiter, badShare, columns };
  }
  return best.delimiter;
}

function fit(head: Buffer, dialect: Dialect): { badShare: number; columns: number } {
  const scanner = new CsvScanner(dialect);
  scanner.push(head);
  const scan = scanner.finish();
  const bad = scan.problems
    .filter(({ kind }) => kind === 'ragged' || kind === 'quoting')
    .reduce((sum, { count }) => sum + count, 0);
  return { badShare: bad / Math.max(scan.records, 1), columns: scan.header.length };
}
