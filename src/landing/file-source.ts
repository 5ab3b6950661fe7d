import { constants } from 'node:fs';
import { open, readlink, type FileHandle } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { shownAddress } from '../model/addresses.ts';
import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import { mayBeSame, type Validator } from '../model/manifest.ts';
import { isMarked, realPathOf } from '../storage/file-marks.ts';
import type { OpenedSource, OpenRequest } from './source.ts';

const READ_BYTES = 1024 * 1024;

/** Opens a file that the lake's owner named (embedded mode only). The worker detects changes to it while it reads. */
export async function openFile(
  url: URL,
  { from, signal, policy }: OpenRequest,
): Promise<OpenedSource> {
  const shown = shownAddress(url.href);
  const path = await namedPath(url, policy.fileMarks, shown);
  const file = await open(path, READ_ONLY).catch((error: unknown) => {
    throw openError(error, shown);
  });
  try {
    await assertIsAt(file, path, shown);
    const { validator, bytes } = await versionOf(file, shown);
    const resumes = from && from.end.bytes <= bytes && mayBeSame(from.validator, validator);
    const startOffset = resumes ? from.end.bytes : 0;
    return {
      validator,
      totalBytes: bytes,
      startOffset,
      body: read(file, startOffset, { shown, bytes, validator, signal }),
      close: async () => await file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

interface Reading {
  shown: string;
  bytes: number;
  validator: Validator;
  signal: AbortSignal;
}

async function* read(file: FileHandle, start: number, reading: Reading): AsyncGenerator<Buffer> {
  const { shown, bytes, validator, signal } = reading;
  for (let at = start; at < bytes;) {
    signal.throwIfAborted();
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, bytes - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
  const after = await versionOf(file, shown);
  if (after.validator.etag !== validator.etag) {
    throw new LonghaulError('SOURCE_CHANGED', `${shown} was written to while it was read.`);
  }
}

async function versionOf(
  file: FileHandle,
  shown: string,
): Promise<{ validator: Validator; bytes: number }> {
  const stat = await file.stat({ bigint: true });
  if (!stat.isFile()) throw new LonghaulError('SOURCE_REFUSED', `${shown} is not a regular file.`);
  // These fields are read one by one. The dates are getters, which a spread does not copy in each version of Node.
  const { ino, size, mtimeNs, mtime } = stat;
  const etag = `"${ino}-${size}-${mtimeNs}"`;
  return { validator: { etag, lastModified: mtime.toUTCString() }, bytes: Number(size) };
}

/** Runs before the file is opened, so that other users cannot learn which files exist. */
async function namedPath(url: URL, marks: string | undefined, shown: string): Promise<string> {
  const path = await realPathOf(pathOf(url, shown));
  if (marks !== undefined && (await isMarked(marks, path))) return path;
  throw new LonghaulError(
    'SOURCE_NOT_NAMED',
    `No command of this lake's owner has named ${shown}.`,
  );
}

/** The flag of macOS that refuses a symlink anywhere in the path. Node has no constant for it. */
const O_NOFOLLOW_ANY = 0x20_00_00_00;
/** Without O_NONBLOCK, a pipe without a writer would block a thread forever. `versionOf` refuses the pipe later. */
const READ_ONLY =
  constants.O_RDONLY |
  constants.O_NONBLOCK |
  (process.platform === 'darwin' ? O_NOFOLLOW_ANY : constants.O_NOFOLLOW);

/** A folder of the path may become a symlink after the path was resolved. Linux says which file was opened. */
async function assertIsAt(file: FileHandle, path: string, shown: string): Promise<void> {
  if (process.platform !== 'linux') return;
  if ((await readlink(`/proc/self/fd/${file.fd}`)) === path) return;
  throw new LonghaulError('SOURCE_CHANGED', `${shown} was replaced while it was opened.`);
}

function pathOf(url: URL, shown: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new LonghaulError('ADDRESS_REFUSED', `${shown} is no file here.`, {}, { cause: error });
  }
}

function openError(error: unknown, shown: string): LonghaulError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  const codes: Record<string, ErrorCode> = {
    ENOENT: 'SOURCE_NOT_FOUND',
    ENOTDIR: 'SOURCE_NOT_FOUND',
    EACCES: 'SOURCE_FORBIDDEN',
    EPERM: 'SOURCE_FORBIDDEN',
  };
  return new LonghaulError(
    codes[code] ?? 'SOURCE_REFUSED',
    `${shown} cannot be opened (${code}).`,
    {},
    { cause: error },
  );
}
