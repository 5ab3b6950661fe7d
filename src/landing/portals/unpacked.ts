import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { LonghaulError } from '../../model/errors.ts';
import { header } from '../http-answers.ts';
import type { Response } from '../http-request.ts';

/** Nothing depends on offsets here, so a compressed answer is as good. */
export async function unpacked(
  shown: string,
  body: Buffer,
  response: Response,
  maxBytes: number,
): Promise<Buffer> {
  const coding = header(response, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (coding === 'identity' || coding === '') return body;
  const unpack = UNPACKERS[coding];
  if (!unpack) {
    const what = `${shown} answers in Content-Encoding ${JSON.stringify(coding.slice(0, 40))}.`;
    throw new LonghaulError('SOURCE_COMPRESSED', what);
  }
  try {
    return await unpack(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw tooLong(shown, maxBytes);
    const what = `${shown} answered in a damaged ${coding}.`;
    throw new LonghaulError('SOURCE_TRUNCATED', what, {}, { cause: error });
  }
}

export function tooLong(shown: string, maxBytes: number): LonghaulError {
  return new LonghaulError('ANSWER_TOO_LONG', `${shown} answers with more than ${maxBytes} bytes.`);
}

const UNPACKERS: Record<
  string,
  (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>
> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};
