import { isAscii } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';
import { cutShort, openPlace, type PlaceReader, type StoredPlace } from '../../storage/place.ts';
import { MAX_REWRITE_GROWTH, rewriteRecords } from './rewrite.ts';
import { MAX_GROWTH, transcode } from './windows-1252.ts';

/** Read at once: large enough for few system calls, small beside a converter's memory. */
const BLOCK_BYTES = 4 * 1024 * 1024;

/** What has to be done to records of a landed file before a converter can be trusted with them. Plain data. */
export interface Preparation {
  input: StoredPlace;
  /** Where a record starts: mark, header and the blank lines behind it are never among them. */
  start: number;
  end: number;
  /** On this machine. */
  outputPath: string;
  /** Written before the records: a reader takes a byte order mark that starts a file, even a value's, for none of its. */
  header: string;
  /** Windows-1252 → UTF-8. */
  transcode: boolean;
  /** Into plain commas and LF: see `rewriteRecords`. */
  rewrite: boolean;
  /** A byte. */
  delimiter: number;
  columns: number;
}

/**
 * Writes the prepared file, block by block: memory is a few blocks, or the longest record.
 * @param onProgress bytes read so far.
 */
export async function prepareCsv(
  job: Preparation,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const input = await openPlace(job.input, { end: job.end });
  try {
    const output = await open(job.outputPath, 'w');
    try {
      await output.writeFile(job.header);
      await copyBlocks(job, input, output, onProgress);
    } finally {
      await output.close();
    }
  } finally {
    await input.close();
  }
}

async function copyBlocks(
  job: Preparation,
  input: PlaceReader,
  output: FileHandle,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let kept: Uint8Array = new Uint8Array(0);
  let position = job.start;
  while (position < job.end) {
    const wanted = Math.min(BLOCK_BYTES, job.end - position);
    const bytesRead = await input.read(block.subarray(0, wanted), position);
    if (bytesRead === 0) throw cutShort(job.input, position);
    position += bytesRead;
    const text = job.transcode
      ? utf8Of(block.subarray(0, bytesRead))
      : block.subarray(0, bytesRead);
    if (job.rewrite) {
      const done = rewritten(job, kept, text, position === job.end);
      kept = done.kept;
      await writeAll(output, done.bytes);
    } else {
      await writeAll(output, text);
    }
    onProgress(position - job.start);
  }
}

function utf8Of(bytes: Uint8Array): Uint8Array {
  if (isAscii(bytes)) return bytes;
  const target = Buffer.allocUnsafe(bytes.length * MAX_GROWTH);
  return target.subarray(0, transcode(bytes, 0, bytes.length, target, 0));
}

/** `kept` is the start of a record that the block before broke off. */
function rewritten(
  job: Preparation,
  kept: Uint8Array,
  text: Uint8Array,
  end: boolean,
): { bytes: Uint8Array; kept: Uint8Array } {
  const limit = kept.length + text.length;
  const source = Buffer.allocUnsafe(limit + 1);
  source.set(kept);
  source.set(text, kept.length);
  const target = { bytes: Buffer.allocUnsafe(limit * MAX_REWRITE_GROWTH + 16), at: 0 };
  const left = rewriteRecords(source, { start: 0, limit, end }, job, target);
  return { bytes: target.bytes.subarray(0, target.at), kept: source.subarray(left, limit) };
}

async function writeAll(output: FileHandle, bytes: Uint8Array): Promise<void> {
  let at = 0;
  while (at < bytes.length) at += (await output.write(bytes, at)).bytesWritten;
}
