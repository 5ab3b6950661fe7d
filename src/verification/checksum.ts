import { createReadStream } from 'node:fs';
import { crc32 } from 'node:zlib';

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

/** @param state what `zlib.crc32` returned last. */
export function formatChecksum(state: number): string {
  return `crc32:${state.toString(16).padStart(8, '0')}`;
}
