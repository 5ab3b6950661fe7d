import { createReadStream } from 'node:fs';
import { crc32 } from 'node:zlib';
import { formatChecksum } from '../model/checksum.ts';

/** Read at once: few system calls, little memory. */
const BLOCK_BYTES = 1024 * 1024;

/** `crc32:` and 8 hex digits, over every byte of a file. */
export async function checksumFile(path: string, signal?: AbortSignal): Promise<string> {
  let state = 0;
  const stream = createReadStream(path, {
    highWaterMark: BLOCK_BYTES,
    ...(signal ? { signal } : {}),
  });
  for await (const block of stream) state = crc32(block as Buffer, state);
  return formatChecksum(state);
}
