import type { SourceOverrides } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import type { Dialect } from '../model/scan.ts';
import { likeliestDelimiter } from './delimiter.ts';
import { assertHeader } from './header-check.ts';

/** The dialect is found from so many bytes: many records of any real file, and one short request. */
export const HEAD_BYTES = 1024 * 1024;

const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** The line that Excel writes and reads before the header, alone or padded with delimiters by a program that did not know it. */
const SEP_LINE = /^"?sep=([\t\u0020-\u0021\u0023-\u007e])"?\1*(?:\r\n|\r|\n)/i;

/**
 * How a file is written, from its first bytes. It decides by the whole records that are there; where they leave a
 * choice, it refuses rather than guess.
 * @param head the first `HEAD_BYTES`, or all there is.
 * @param complete whether that is the whole file.
 * @throws LonghaulError SOURCE_EMPTY, SOURCE_DELIMITER_UNCLEAR, SOURCE_HEADER_UNCLEAR.
 */
export function sniffHead(head: Buffer, complete: boolean, overrides: SourceOverrides): Dialect {
  if (complete && head.length === 0) {
    throw new LonghaulError('SOURCE_EMPTY', 'The file has no byte.');
  }
  const bomBytes = head.subarray(0, UTF8_MARK.length).equals(UTF8_MARK) ? UTF8_MARK.length : 0;
  if (complete && isBlank(head.subarray(bomBytes))) {
    throw new LonghaulError('SOURCE_EMPTY', `The file has ${head.length} bytes of blank lines.`);
  }
  const sep = SEP_LINE.exec(head.toString('latin1', bomBytes));
  const sepLineBytes = sep?.[0].length ?? 0;
  const text = head.toString('latin1', bomBytes + sepLineBytes);
  const hasHeader = overrides.header !== false;
  const delimiter =
    overrides.delimiter ?? sep?.[1] ?? likeliestDelimiter({ text, complete }, hasHeader);
  if (overrides.header === undefined) assertHeader({ text, complete }, delimiter, sep ? 2 : 1);
  return {
    delimiter,
    ...(overrides.delimiter === undefined && { delimiterFrom: sep ? 'sep=' : 'head' }),
    quote: '"',
    bomBytes,
    ...(sepLineBytes > 0 && { sepLineBytes }),
    ...(hasHeader ? {} : { header: false }),
  };
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x0a || byte === 0x0d);
}
